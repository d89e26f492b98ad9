//! Teams, as they go over the wire.

use schemars::JsonSchema;
use serde::Serialize;

use crate::clock::Time;
use crate::model::{Name, Team, TeamId, UserId};

/// A team.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Team")]
pub struct TeamView<'a> {
    /// The team's id.
    id: TeamId,
    /// What it is called.
    name: &'a Name,
    /// Its name as a part of URLs.
    slug: &'a str,
    /// The id of the user who has made it.
    user: &'a UserId,
    /// The ids of its members.
    users: &'a [UserId],
    /// When it was made.
    created_at: Time,
    /// When it was last changed.
    modified_at: Time,
}

impl<'a> From<&'a Team> for TeamView<'a> {
    fn from(team: &'a Team) -> Self {
        TeamView {
            id: team.id,
            name: &team.name,
            slug: &team.slug,
            user: &team.creator_id,
            users: &team.users,
            created_at: team.created_at,
            modified_at: team.modified_at,
        }
    }
}

/// A team.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OfTeam")]
pub struct OfTeam<'a> {
    /// The team.
    pub team: TeamView<'a>,
}

/// Your teams.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Teams")]
pub struct Teams<'a> {
    /// The teams, up to a page of them.
    pub teams: Vec<TeamView<'a>>,
}
