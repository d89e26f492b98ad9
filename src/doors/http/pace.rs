//! Checks how fast a body comes. Otherwise a client that sends a byte now and then could hold a
//! connection, and the memory for what it has sent, for as long as it likes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// For each so many bytes a body may take a second longer.
const BYTES_PER_SECOND: usize = 16 << 10;

/// What a client with too slow a body is told.
const WHY: &str = "the body came too slowly\n";

/// A body that ends in an error if it comes too slowly.
struct Paced {
    body: Body,
    allowed: Duration,
    came: usize,
    /// When its reader began, and the timer that wakes the reader at the deadline.
    begun: Option<(Instant, Pin<Box<Sleep>>)>,
    too_slow: Arc<AtomicBool>,
}

impl Paced {
    /// Whether the deadline has passed; if not, the reader is woken at it.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let longer = Duration::from_secs((self.came / BYTES_PER_SECOND) as u64);
        let allowed = self.allowed + longer;
        let (begun_at, timer) = self
            .begun
            .get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(allowed))));
        let deadline = *begun_at + allowed;
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx).is_ready()
    }
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.came += frame.data_ref().map_or(0, Bytes::len);
            }
            Poll::Ready(_) => {}
            Poll::Pending => {
                if self.is_late(cx) {
                    self.too_slow.store(true, Ordering::Release);
                    return Poll::Ready(Some(Err(axum::Error::new(WHY.trim_end()))));
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Answers 408 if the body came too slowly while the handler read it, whatever the handler answers.
pub(super) async fn check(
    State(allowed): State<Duration>,
    request: Request,
    next: Next,
) -> Response {
    let too_slow = Arc::<AtomicBool>::default();
    let request = request.map(|body| {
        Body::new(Paced { body, allowed, came: 0, begun: None, too_slow: too_slow.clone() })
    });
    let response = next.run(request).await;
    match too_slow.load(Ordering::Acquire) {
        true => (StatusCode::REQUEST_TIMEOUT, WHY).into_response(),
        false => response,
    }
}
