//! What overrides make of a template is tried before anything of its placement is applied: what the centre's API server
//! refuses changes nothing there.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{PlacedObject, object, placement_reason as reason};
use futures::StreamExt as _;
use kube::api::{Patch, PatchParams};
use plan::placement::centre::{Plan, Spot, Want};
use plan::placement::drift;
use plan::placement::message::halves;
use plan::placement::object::{compared, desired, marked};
use plan::placement::row::State;

use super::around::{Around, here};
use super::checked::Checked;
use super::{AT_ONCE, HubTemplate, Placements};
use crate::call::{CallError, call};

/// By namespace and placement: an object that is refused, and why.
pub(super) type Refused = BTreeMap<(String, String), (PlacedObject, State)>;

/// Where a want belongs.
pub(super) fn owner(spot: &Spot, want: &Want) -> (String, String) {
    (spot.0.clone(), want.here.placement.clone())
}

/// Answers that speak of the object and not of the moment: it is malformed, or invalid.
fn is_invalid(error: &CallError) -> bool {
    matches!(error.code(), Some(400 | 422))
}

impl Placements {
    /// Asks about every overridden object that would be written now.
    pub(super) async fn refused<'t>(
        &self,
        plan: &Plan,
        around: &Around<'_>,
        template: impl Fn(&Spot, &Want) -> Option<&'t Arc<HubTemplate>>,
    ) -> Refused {
        let overridden = plan
            .wants
            .iter()
            .filter(|(_, w)| !w.kept && !w.here.overrides.is_empty());
        let asked = overridden.filter_map(|(spot, want)| {
            let template = template(spot, want)?;
            Some(async move {
                Some((
                    owner(spot, want),
                    (spot.1.clone(), self.tried(spot, want, template, around).await?),
                ))
            })
        });
        let answers = futures::stream::iter(asked).buffer_unordered(AT_ONCE);
        answers.filter_map(async |answer| answer).collect().await
    }

    /// Why it is refused, where it would be written and is.
    async fn tried(&self, spot: &Spot, want: &Want, template: &Arc<HubTemplate>, around: &Around<'_>) -> Option<State> {
        let live = around.standing.get(spot);
        let here = here(spot, want, live, template, around).ok()?;
        // What is exclusive is written against the version that was read, and what goes is not written at all.
        if here.exclusive.is_some() || live.is_some_and(|l| l.deleting) {
            return None;
        }
        let check = Checked::new(want, live, template, here);
        if live.is_some() && self.found(spot, &check).is_some() {
            return None;
        }
        let parsed = serde_json::from_str(&template.text).unwrap_or_default();
        let (value, _) = marked(desired(&spot.1, &parsed, &check.here).ok()?, &check.here);
        if let Some(live) = live {
            let is = serde_json::from_str(&live.text).unwrap_or_default();
            if drift::paths(&compared(&value, &check.here), &is).is_empty() {
                return None;
            }
        }
        let (api, _) = self.at(spot).ok()?;
        let params = PatchParams::apply(object::AGENT).force();
        let answer = call(
            "try an object",
            api.patch(&spot.1.name, &params.dry_run(), &Patch::Apply(&value)),
        )
        .await;
        let error = answer.err().filter(is_invalid)?.to_string();
        let (what, (en, zh)) = (&spot.1, halves(&error));
        let message = format!(
            "{what}: with its overrides the API server refuses it, and nothing of this placement is applied there: {en} | {what}：应用 overrides 后被 API 服务器拒绝，该中心未应用本部署：{zh}"
        );
        Some(State::Failed(reason::OVERRIDE_FAILED, message))
    }
}
