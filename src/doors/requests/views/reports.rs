//! That a message should not be there, as those with the API key are told.

use serde::Serialize;

use super::ChatView;
use super::messages::MessageView;
use crate::doors::requests::people_views::PersonView;
use crate::model::Report;

/// `{chat, message, user, reason?}`
#[derive(Serialize)]
pub struct ReportView<'a> {
    chat: ChatView<'a>,
    message: MessageView<'a>,
    user: PersonView<'a>,
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
