//! Reported messages, as connections with the API key get them.

use schemars::JsonSchema;
use serde::Serialize;

use super::chats::ChatView;
use super::messages::MessageView;
use super::people::PersonView;
use crate::model::Report;

/// A reported message.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Report")]
pub struct ReportView<'a> {
    /// The chat that the message is in.
    chat: ChatView<'a>,
    /// The message.
    message: MessageView<'a>,
    /// Who reports it.
    user: PersonView<'a>,
    /// Why, if that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> From<&'a Report> for ReportView<'a> {
    fn from(report: &'a Report) -> Self {
        ReportView {
            chat: ChatView::from(&report.chat),
            message: MessageView::new(&report.message, &report.author),
            user: PersonView::from(&report.user),
            reason: report.reason.as_ref().map(AsRef::as_ref),
        }
    }
}
