//! Nothing is lost when a node is killed.

use crate::support::crowd::{Crowd, UNBOUNDED};
use crate::support::nodes::Processes;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_messages_survive_the_kill_of_a_node() {
    let Some(mut nodes) = Processes::with(3, &UNBOUNDED).await else { return };
    let crowd = Crowd::gather(&nodes, 8, 4).await;
    crowd.goes_on(300).await;
    nodes[2].kill();
    crowd.goes_on(300).await;
    nodes[1].kill();
    crowd.goes_on(300).await;
    let outcome = crowd.end().await;
    assert!(outcome.messages > 900);
    assert!(outcome.resumed >= 8, "some did not notice: {outcome:?}");
    assert!(outcome.errors.is_empty(), "{outcome:?}");
    nodes.assert_no_defect();
}
