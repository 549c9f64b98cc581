//! Which words of people about a move count.

use std::collections::BTreeMap;

use crds::{
    Approver, Failover, FailoverApproval, FailoverPhase, FailoverType, FailoverWord, PlacementMode, approval_reason,
    condition, condition_is_true, failover_approval_reason, group,
};

/// People who must see a fence, each of another organisation.
pub const WITNESSES: usize = 2;

/// What the words about one move add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Who agreed.
    pub agreed: Vec<String>,
    /// Who said no, and why.
    pub rejected: Option<(String, String)>,
    /// Who saw that the old side is silent.
    pub saw: Vec<String>,
    /// For each word by its name: whether it counts, or why not.
    pub counted: BTreeMap<String, Result<(), &'static str>>,
}

/// People of the same question so far.
type Heard<'a> = Vec<&'a Approver>;

/// Counts the words about a move, oldest first. Two people are two people of two organisations; nobody approves what he
/// asked for himself, or confirms it; a person says one thing to a question.
pub fn count(failover: &Failover, mode: Option<PlacementMode>, words: &[&FailoverApproval]) -> Outcome {
    let mut order: Vec<_> = words.to_vec();
    order.sort_by_key(|w| (w.metadata.creation_timestamp.clone(), w.metadata.name.clone()));
    let mut out = Outcome::default();
    let (mut agreed, mut saw): (Heard<'_>, Heard<'_>) = (Vec::new(), Vec::new());
    let mut asked: Vec<&str> = Vec::new();
    for word in order {
        let spec = &word.spec;
        let verdict = match spec.word {
            FailoverWord::Approve | FailoverWord::Reject => opinion(failover, word, &agreed, &asked, &out),
            FailoverWord::ConfirmFence => confirmation(failover, mode, word, &saw),
        };
        if verdict.is_ok() {
            let person = spec.approver.username.clone();
            match spec.word {
                FailoverWord::Approve => agreed.push(&spec.approver),
                FailoverWord::Reject => out.rejected = Some((person, spec.comment.clone().unwrap_or_default())),
                FailoverWord::ConfirmFence => saw.push(&spec.approver),
            }
            if spec.word != FailoverWord::ConfirmFence {
                asked.push(&spec.approver.username);
            }
        }
        out.counted
            .insert(word.metadata.name.clone().unwrap_or_default(), verdict);
    }
    out.agreed = agreed.into_iter().map(|p| p.username.clone()).collect();
    out.saw = saw.into_iter().map(|p| p.username.clone()).collect();
    out
}

/// Whoever approves requests, and the platform team: both may say something about a move.
fn entitled(person: &Approver) -> bool {
    let groups = [group::APPROVERS, group::PLATFORM];
    person.groups.iter().any(|g| groups.contains(&g.as_str()))
}

fn organisations(person: &Approver) -> impl Iterator<Item = &String> {
    let all = person.groups.iter();
    all.filter(|g| g.starts_with(group::ORGANISATION_PREFIX))
}

/// Whether it was counted before: then it stays so.
fn stands(word: &FailoverApproval) -> bool {
    let status = word.status.as_ref();
    status.is_some_and(|s| condition_is_true(&s.conditions, condition::COUNTED))
}

/// What holds of every word.
fn valid(failover: &Failover, word: &FailoverApproval) -> Result<(), &'static str> {
    if Some(&word.spec.failover_ref.uid) != failover.metadata.uid.as_ref() {
        return Err(approval_reason::UID_MISMATCH);
    }
    if failover.phase().is_over() && !stands(word) {
        return Err(failover_approval_reason::ALREADY_OVER);
    }
    if !entitled(&word.spec.approver) {
        return Err(approval_reason::NOT_ENTITLED);
    }
    Ok(())
}

/// Two people of two organisations; whoever is of none cannot be told from another one.
fn apart(person: &Approver, others: &[&Approver]) -> Result<(), &'static str> {
    if others.iter().any(|o| o.username == person.username) {
        return Err(approval_reason::SAME_PERSON);
    }
    let shares = |other: &&Approver| organisations(person).any(|o| other.groups.contains(o));
    if others.iter().any(shares) {
        return Err(approval_reason::SAME_ORGANISATION);
    }
    Ok(())
}

fn opinion(
    failover: &Failover,
    word: &FailoverApproval,
    agreed: &[&Approver],
    asked: &[&str],
    out: &Outcome,
) -> Result<(), &'static str> {
    valid(failover, word)?;
    let person = &word.spec.approver;
    if word.spec.word == FailoverWord::Approve && person.username == failover.spec.requester.username {
        return Err(approval_reason::SELF_APPROVAL);
    }
    if asked.contains(&person.username.as_str()) {
        return Err(approval_reason::SAME_PERSON);
    }
    if word.spec.word == FailoverWord::Approve {
        apart(person, agreed)?;
    }
    let needed = failover.status.as_ref().and_then(|s| s.approvals.as_ref());
    let needed = needed.map(|a| a.needed);
    let enough = needed.is_some_and(|needed| i32::try_from(agreed.len()).is_ok_and(|given| given >= needed));
    let begun = failover.phase() > FailoverPhase::AwaitingApproval && !stands(word);
    if out.rejected.is_some() || enough || begun {
        return Err(approval_reason::ALREADY_DECIDED);
    }
    Ok(())
}

fn confirmation(
    failover: &Failover,
    mode: Option<PlacementMode>,
    word: &FailoverApproval,
    saw: &[&Approver],
) -> Result<(), &'static str> {
    valid(failover, word)?;
    let person = &word.spec.approver;
    let fences = failover.spec.type_ == FailoverType::Unplanned || failover.phase() == FailoverPhase::Fencing;
    if mode != Some(PlacementMode::Exclusive) || !(fences || stands(word)) {
        return Err(failover_approval_reason::NOTHING_TO_CONFIRM);
    }
    if person.username == failover.spec.requester.username {
        return Err(approval_reason::SELF_APPROVAL);
    }
    if organisations(person).next().is_none() {
        // Nobody could say that the second one is of another.
        return Err(approval_reason::NOT_ENTITLED);
    }
    apart(person, saw)?;
    if saw.len() >= WITNESSES {
        return Err(approval_reason::ALREADY_DECIDED);
    }
    Ok(())
}

/// In words, for people.
pub fn words(reason: &str) -> &'static str {
    match reason {
        approval_reason::COUNTED => "counted | 已计入",
        approval_reason::SELF_APPROVAL => {
            "whoever asked for the move does not decide it; another person is needed | 发起人不得自行确认，需另一人"
        }
        approval_reason::SAME_PERSON => {
            "this person said it already; a second person is needed | 同一人已表态，需另一人"
        }
        approval_reason::SAME_ORGANISATION => {
            "another person of the same organisation said it already; one of another organisation is needed | 同一单位已有人表态，需另一单位人员"
        }
        approval_reason::NOT_ENTITLED => {
            "only approvers and the platform team decide, and who confirms a fence belongs to an organisation | 仅审批人与平台组可表态，确认隔离者须属于某一单位"
        }
        approval_reason::UID_MISMATCH => {
            "another move of that name was meant; say it again | 同名切换已更换，请重新表态"
        }
        failover_approval_reason::FAILOVER_NOT_FOUND => "there is no such move in this namespace | 本命名空间无此切换",
        failover_approval_reason::ALREADY_OVER => "the move was over | 切换已结束",
        failover_approval_reason::NOTHING_TO_CONFIRM => {
            "this move waits for no fence that people could confirm | 该切换没有需人工确认的隔离"
        }
        _ => "it was decided already, or nobody's word is needed | 已有决定，或无需表态",
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{failover, word};
    use super::*;
    use crds::ApprovalCount;

    fn move_of(needed: i32) -> Failover {
        let mut one = failover("p-a-1", FailoverType::Unplanned, "a", "b");
        let status = one.status.get_or_insert_default();
        status.phase = FailoverPhase::AwaitingApproval;
        status.approvals = Some(ApprovalCount { needed, given: 0 });
        "asker".clone_into(&mut one.spec.requester.username);
        one
    }

    fn why(out: &Outcome, name: &str) -> &'static str {
        out.counted[name].err().unwrap_or("Counted")
    }

    #[test]
    fn two_people_of_two_organisations_agree() {
        let one = move_of(2);
        let words = [
            word(&one, "1", FailoverWord::Approve, "asker", "org:x"),
            word(&one, "2", FailoverWord::Approve, "li", "org:x"),
            word(&one, "3", FailoverWord::Approve, "li", "org:x"),
            word(&one, "4", FailoverWord::Approve, "wang", "org:x"),
            word(&one, "5", FailoverWord::Approve, "zhao", "org:y"),
            word(&one, "6", FailoverWord::Approve, "sun", "org:z"),
        ];
        let out = count(
            &one,
            Some(PlacementMode::ActiveStandby),
            &words.iter().collect::<Vec<_>>(),
        );
        let all = ["1", "2", "3", "4", "5", "6"].map(|n| why(&out, n));
        assert_eq!(
            all,
            [
                "SelfApproval",
                "Counted",
                "SamePerson",
                "SameOrganisation",
                "Counted",
                "AlreadyDecided"
            ]
        );
        assert_eq!(out.agreed, ["li", "zhao"]);
    }

    #[test]
    fn a_no_ends_it_and_strangers_are_not_heard() {
        let one = move_of(1);
        let mut stranger = word(&one, "1", FailoverWord::Approve, "x", "org:x");
        stranger.spec.approver.groups.retain(|g| g == "org:x");
        let mut other = word(&one, "2", FailoverWord::Approve, "y", "org:x");
        other.spec.failover_ref.uid = "another".into();
        let no = word(&one, "3", FailoverWord::Reject, "li", "org:x");
        let late = word(&one, "4", FailoverWord::Approve, "zhao", "org:y");
        let out = count(&one, None, &[&stranger, &other, &no, &late]);
        let all = ["1", "2", "3", "4"].map(|n| why(&out, n));
        assert_eq!(all, ["NotEntitled", "UidMismatch", "Counted", "AlreadyDecided"]);
        assert_eq!(out.rejected.map(|r| r.0).as_deref(), Some("li"));
    }

    #[test]
    fn a_fence_is_seen_by_two_and_only_where_there_is_one() {
        let one = move_of(0);
        let words = [
            word(&one, "1", FailoverWord::ConfirmFence, "asker", "org:x"),
            word(&one, "2", FailoverWord::ConfirmFence, "li", "org:x"),
            word(&one, "3", FailoverWord::ConfirmFence, "wang", "org:x"),
            word(&one, "4", FailoverWord::ConfirmFence, "zhao", "org:y"),
        ];
        let all: Vec<_> = words.iter().collect();
        let out = count(&one, Some(PlacementMode::Exclusive), &all);
        assert_eq!(out.saw, ["li", "zhao"]);
        assert_eq!(why(&out, "1"), "SelfApproval");
        assert_eq!(why(&out, "3"), "SameOrganisation");
        let out = count(&one, Some(PlacementMode::ActiveStandby), &all);
        assert!(
            out.counted
                .values()
                .all(|v| *v == Err(failover_approval_reason::NOTHING_TO_CONFIRM))
        );
    }

    #[test]
    fn what_was_counted_stays_so() {
        let mut one = move_of(1);
        let mut first = word(&one, "1", FailoverWord::Approve, "li", "org:x");
        one.status.get_or_insert_default().phase = FailoverPhase::Succeeded;
        assert_eq!(why(&count(&one, None, &[&first]), "1"), "AlreadyOver");
        let status = first.status.get_or_insert_default();
        crds::set_condition(
            &mut status.conditions,
            condition::COUNTED,
            Some(true),
            "Counted",
            "",
            None,
            jiff::Timestamp::UNIX_EPOCH,
        );
        assert_eq!(why(&count(&one, None, &[&first]), "1"), "Counted");
    }
}
