//! Of a member cloud at stage Advised: whether a person of it confirmed what is decided, and whose word it waits for.

use crds::{DualActivePlacement, MemberStage, group};
use plan::centre::stage::Stage;
use plan::placement::confirm;
use serde::Serialize;

use super::seen::Seen;
use crate::lang::both;

/// How far that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ConfirmationState {
    /// A person of the member has to confirm it.
    Waits,
    /// A person of the member confirmed it.
    Confirmed,
    /// It was carried out at another stage, before anybody had to.
    NotNeeded,
    /// The member has said nothing of it yet.
    Unknown,
}

/// What is confirmed, or waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirmation {
    /// How far that is.
    pub state: ConfirmationState,
    /// Name of the decision with its content, as it is confirmed; `None` before the member said one.
    pub content: Option<String>,
    /// The group of those who confirm.
    pub group: String,
    /// Whether what is shown is not decided yet, and so not what `content` names.
    pub undecided: bool,
    /// `English | 中文`.
    pub message: String,
}

/// Of that centre; `None` where nobody has to confirm, or the user may not read what the centre is and nothing waits.
pub fn confirmation(
    placement: &DualActivePlacement,
    seen: &Seen,
    centre: &str,
    undecided: bool,
) -> Option<Confirmation> {
    let row = placement.row(centre);
    let waits = row.and_then(|r| r.confirm.clone());
    let all = seen.province.centres.iter().flatten();
    let found = all.into_iter().find(|c| c.metadata.name.as_deref() == Some(centre));
    let advised = found.is_some_and(|c| Stage::of(c) == Stage::Member(MemberStage::Advised));
    if !advised && waits.is_none() {
        return None;
    }
    let said = confirm::said(placement, centre);
    let content = waits.clone().or_else(|| row.and_then(|r| r.content.clone()));
    let state = match &content {
        _ if waits.is_some() => ConfirmationState::Waits,
        Some(content) if said == Some(content.as_str()) => ConfirmationState::Confirmed,
        Some(_) => ConfirmationState::NotNeeded,
        None => ConfirmationState::Unknown,
    };
    let group = format!("{}{centre}", group::MEMBER_PREFIX);
    let name = content.as_deref().unwrap_or("-");
    let mut message = words(placement, state, (centre, &group), name);
    if undecided {
        let (en, zh) = message.split_once(" | ").unwrap_or((&message, &message));
        message = both(
            format!("{en}; what is shown here is not decided yet, and waits for {group} once it is"),
            format!("{zh}；所示内容尚未分派，分派后待 {group} 确认"),
        );
    }
    Some(Confirmation {
        state,
        content,
        group,
        undecided,
        message,
    })
}

fn words(
    placement: &DualActivePlacement,
    state: ConfirmationState,
    (centre, group): (&str, &str),
    name: &str,
) -> String {
    match state {
        ConfirmationState::Waits => {
            let command = confirm::command(placement, centre, name);
            both(
                format!("{name} waits for a person of {group}: {command}"),
                format!("{name} 待 {group} 人员确认：{command}"),
            )
        }
        ConfirmationState::Confirmed => both(
            format!("{name} is confirmed by a person of {group}"),
            format!("{name} 已由 {group} 人员确认"),
        ),
        ConfirmationState::NotNeeded => both(
            format!(
                "{name} was carried out before a person of {group} had to confirm; the next decision waits for one"
            ),
            format!("{name} 在须确认之前已落实，下一次分派待 {group} 人员确认"),
        ),
        ConfirmationState::Unknown => both(
            format!("{centre} has not said what a person of {group} has to confirm"),
            format!("{centre} 尚未上报待 {group} 人员确认的内容"),
        ),
    }
}
