//! Limits how many requests and WebSockets one address may have open behind proxies, where only the
//! head of a request tells the address.

use std::sync::Arc;

use axum::Extension;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::doors::client::Client;
use crate::doors::slots::{Permit, Slots};

/// What a client over the limit is told.
pub(super) const WHY: &str = "your address has as many connections open as it may: close some, or \
                              the server can allow more by --max-connections-per-address\n";

/// Refuses with 429 a request from an address that has as many open as it may. Without proxies the
/// accept loop has already counted the connection, and the request carries no slots.
pub(super) async fn check(
    slots: Option<Extension<Arc<Slots>>>,
    Extension(client): Extension<Client>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(Extension(slots)) = slots else {
        return next.run(request).await;
    };
    let Some(slot) = slots.take_of_address(client) else {
        return (StatusCode::TOO_MANY_REQUESTS, WHY).into_response();
    };
    if let Some(permit) = request.extensions_mut().get_mut::<Permit>() {
        permit.keep(slot.clone());
    }
    let response = next.run(request).await;
    drop(slot);
    response
}
