//! `/api/openapi.json`: the door described for programs. Each endpoint says of itself what it
//! answers; here is what holds for all.

use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    self, Content, ObjectBuilder, PathItem, Ref, RefOr, Required, ResponseBuilder,
};
use utoipa::{Modify, OpenApi};

use super::{accounts, live, threads};
use crate::doors::requests::EVENTS;

/// What a refusal looks like: the schema of an envelope of anything.
const REFUSAL: &str = "Envelope_Value";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Chinwag",
        description = "Every answer comes in the same envelope, whose `error.code` is the HTTP \
            status. A token, or the service's key, is given as `Authorization: Bearer …`, or as \
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
        (name = "events", description = "The events of Socket.IO over HTTP: what they take and \
            answer is in docs/protocol.md. They have no envelope; a refusal is `{error: {code, \
            message, field?, retry_after_ms?}}`. `actor: {id}` says who acts."),
        (name = "files", description = "Files that messages show: docs/protocol.md, \"Files\". \
            Refusals are `{error}`, too."),
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
    modifiers(&BearerToken, &Refusals, &Events, &Files)
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

/// The events, which have a path each.
struct Events;

impl Modify for Events {
    fn modify(&self, openapi: &mut openapi::OpenApi) {
        let content = || Content::new(Some(ObjectBuilder::new()));
        let body = || RequestBodyBuilder::new().content("application/json", content()).build();
        let answer = |what: &str| {
            let answer = ResponseBuilder::new().description(what);
            answer.content("application/json", content()).build()
        };
        for row in EVENTS.iter().filter(|row| !row.is_of_socket()) {
            let operation = OperationBuilder::new()
                .tag("events")
                .summary(Some(row.does))
                .operation_id(Some(row.event))
                .request_body(Some(body()))
                .response("200", answer("done: what the acknowledgement would say"))
                .response("default", answer("refused: `{error}`, with the status of its code"))
                .security(SecurityRequirement::new("token", [""; 0]));
            let path = format!("/api/events/{}", row.event);
            openapi.paths.add_path_operation(path, vec![HttpMethod::Post], operation.build());
        }
    }
}

/// Uploads and downloads.
struct Files;

impl Modify for Files {
    fn modify(&self, openapi: &mut openapi::OpenApi) {
        let bytes = || Content::new(Some(ObjectBuilder::new()));
        let answer = |what: &str| ResponseBuilder::new().description(what);
        let parameter = |name: &str, place| ParameterBuilder::new().name(name).parameter_in(place);
        let body = RequestBodyBuilder::new()
            .content("application/octet-stream", bytes())
            .content("multipart/form-data", bytes());
        let upload = OperationBuilder::new()
            .tag("files")
            .summary(Some("Upload a file, as the body or as the field `file` of a form"))
            .operation_id(Some("upload-file"))
            .parameter(parameter("name", ParameterIn::Query))
            .parameter(parameter("user", ParameterIn::Query))
            .request_body(Some(body.build()))
            .response("201", answer("taken: `{file}`").content("application/json", bytes()))
            .response("default", answer("refused: `{error}`, with the status of its code"))
            .security(SecurityRequirement::new("token", [""; 0]));
        let download = OperationBuilder::new()
            .tag("files")
            .summary(Some("Read a file by the address that its message shows"))
            .operation_id(Some("read-file"))
            .parameter(parameter("id", ParameterIn::Path).required(Required::True))
            .parameter(parameter("until", ParameterIn::Query))
            .parameter(parameter("signature", ParameterIn::Query))
            .response("200", answer("the file"))
            .response("206", answer("a part of it"))
            .response("default", answer("refused: `{error}`, with the status of its code"));
        let paths = &mut openapi.paths;
        paths.add_path_operation("/api/files", vec![HttpMethod::Post], upload.build());
        paths.add_path_operation("/api/files/{id}", vec![HttpMethod::Get], download.build());
    }
}

/// Every refusal comes in the envelope, and every answer is described.
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
