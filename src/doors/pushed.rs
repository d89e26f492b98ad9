//! How far a door has shown its clients what was committed.

use tokio::sync::watch;

use crate::domain::App;
use crate::model::Published;

/// The number of the latest event that a door has pushed.
#[derive(Default)]
pub struct Pushed(watch::Sender<u64>);

impl Pushed {
    /// An event has been pushed.
    pub fn note(&self, published: &Published) {
        if let Some(number) = published.number {
            self.0.send_replace(number);
        }
    }

    /// Waits until all that has been committed so far has been pushed.
    pub async fn settled(&self, app: &App) {
        let committed = app.last_committed();
        // It fails when there is no sender; this is one.
        let _ = self.0.subscribe().wait_for(|pushed| *pushed >= committed).await;
    }
}
