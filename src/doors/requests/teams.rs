//! Makes and lists teams, and adds and removes their members.

use super::fields::{Id, NoFields, request};
use super::views::teams::{OfTeam, TeamView, Teams};
use super::{Answer, Answered, Call};
use crate::model::{Name, Team, TeamId, UserId};

request! {
    /// A new team and its first members.
    CreateTeam {
        /// The team to make.
        team: TeamToMake,
        /// The members besides the creator, who is one in any case.
        users: Option<Vec<UserId>>,
    }

    /// A team to make.
    TeamToMake {
        /// What it is called.
        name: Name,
    }

    /// A user in a team.
    TeamMember {
        /// The team.
        team: Id<TeamId>,
        /// The user.
        user: Id<UserId>,
    }
}

pub async fn create_team(call: Call<'_>, asked: CreateTeam) -> Answered<OfTeam<'_>> {
    let actor = call.actor().await?;
    let users = asked.users.unwrap_or_default();
    answer(&call.app.create_team(&actor, asked.team.name, users).await?)
}

pub async fn list_teams(call: Call<'_>, _: NoFields) -> Answered<Teams<'_>> {
    let actor = call.actor().await?;
    let teams = call.app.list_teams(&actor).await?;
    Answer::new(&Teams { teams: teams.iter().map(TeamView::from).collect() })
}

pub async fn add_to_team(call: Call<'_>, asked: TeamMember) -> Answered<OfTeam<'_>> {
    let actor = call.actor().await?;
    answer(&call.app.add_to_team(&actor, asked.team.id, asked.user.id).await?)
}

pub async fn remove_from_team(call: Call<'_>, asked: TeamMember) -> Answered<OfTeam<'_>> {
    let actor = call.actor().await?;
    answer(&call.app.remove_from_team(&actor, asked.team.id, asked.user.id).await?)
}

fn answer(team: &Team) -> Answered<OfTeam<'_>> {
    Answer::new(&OfTeam { team: TeamView::from(team) })
}
