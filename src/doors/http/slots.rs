//! How many requests and WebSockets one address may have open behind proxies, where the address is
//! known from the head of a request only.

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

/// Refuses with 429 what comes from an address that has as much open as it may. The accept loop has
/// counted a connection that comes without a proxy; then there are no slots to ask for.
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
