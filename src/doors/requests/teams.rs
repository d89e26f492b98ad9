//! Teams: made, listed, entered, left.

use super::views::{OfTeam, TeamView, Teams};
use super::{Answer, Call};
use crate::error::Error;
use crate::model::{Name, Team, TeamId, UserId, parse_id};

pub async fn create_team(call: Call<'_>) -> Result<Answer, Error> {
    let name = call.body.object("team")?.text("name", Name::parse)?;
    let max = call.app.limits().max_chat_users;
    let users = call.body.optional_ids("users", max, UserId::parse)?.unwrap_or_default();
    let actor = call.actor().await?;
    answer(&call.app.create_team(&actor, name, users).await?)
}

pub async fn list_teams(call: Call<'_>) -> Result<Answer, Error> {
    let actor = call.actor().await?;
    let teams = call.app.list_teams(&actor).await?;
    Answer::new(&Teams { teams: teams.iter().map(TeamView::from).collect() })
}

pub async fn add_to_team(call: Call<'_>) -> Result<Answer, Error> {
    let (team_id, user_id) = (call.team_id()?, call.other_user()?);
    let actor = call.actor().await?;
    answer(&call.app.add_to_team(&actor, team_id, user_id).await?)
}

pub async fn remove_from_team(call: Call<'_>) -> Result<Answer, Error> {
    let (team_id, user_id) = (call.team_id()?, call.other_user()?);
    let actor = call.actor().await?;
    answer(&call.app.remove_from_team(&actor, team_id, user_id).await?)
}

impl Call<'_> {
    fn team_id(&self) -> Result<TeamId, Error> {
        self.body.object("team")?.text("id", parse_id)
    }
}

fn answer(team: &Team) -> Result<Answer, Error> {
    Answer::new(&OfTeam { team: TeamView::from(team) })
}
