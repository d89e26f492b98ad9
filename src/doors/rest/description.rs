//! The door described for programs, as the first part of `openapi.json`. Each endpoint describes
//! its own answers; this module describes what holds for all.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{self, Content, PathItem, Ref, RefOr};
use utoipa::{Modify, OpenApi};

use super::{accounts, live, threads};

/// The schema of a refusal: an envelope with any data.
const REFUSAL: &str = "Envelope_Value";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Chinwag",
        description = "Answers about accounts and direct messages come in one envelope, whose \
            `error.code` is the HTTP status. A token, or the service's key, is given as `Authorization: Bearer …`, or as \
            `access_token` in the query.\n\n\
            What any request may meet: 403 from a page whose origin may not connect, 408 for a \
            body that comes too slowly, 413 for one that is too large, 415 for one that is \
            neither JSON nor a form, 429 for too many requests in a short time (`Retry-After` \
            says when to come back), 431 for a head of more than 64 KiB, 503 while the server is \
            busy."
    ),
    tags(
        (name = "accounts", description = "Signing up, and tokens"),
        (name = "direct messages", description = "What two users say to each other"),
        (name = "events", description = "The events of Socket.IO over HTTP. They have no envelope; a refusal is `{error: {code, \
            message, field?, retry_after_ms?}}`. `actor: {id}` says who acts."),
        (name = "files", description = "Files that messages show. Refusals are `{error}`, too."),
        (name = "rooms", description = "The rooms API: JSON-RPC 2.0"),
    ),
    paths(
        accounts::register,
        accounts::create_account,
        accounts::log_in,
        accounts::refresh,
        accounts::log_out,
        threads::list_inbox,
        threads::list_thread,
        live::open,
    ),
    modifiers(&BearerToken, &Refusals)
)]
pub struct Description;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, openapi: &mut openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT");
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    }
}

/// Says that every refusal comes in the envelope, and describes the answers that lack a
/// description.
struct Refusals;

impl Modify for Refusals {
    fn modify(&self, openapi: &mut openapi::OpenApi) {
        for (code, response) in openapi.paths.paths.values_mut().flat_map(responses) {
            if code.starts_with(['4', '5']) {
                let content = Content::new(Some(Ref::from_schema_name(REFUSAL)));
                response.content.insert("application/json".into(), RefOr::T(content));
            }
            if response.description.is_empty() {
                response.description = "done".into();
            }
        }
    }
}

fn responses(path: &mut PathItem) -> impl Iterator<Item = (&String, &mut openapi::Response)> {
    let operations = [&mut path.get, &mut path.post, &mut path.delete].into_iter().flatten();
    let responses = operations.flat_map(|operation| &mut operation.responses.responses);
    responses.filter_map(|(code, response)| match response {
        RefOr::T(response) => Some((code, response)),
        RefOr::Ref(_) => None,
    })
}
