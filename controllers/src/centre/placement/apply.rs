//! One object: what differs from its template is written, what is not ours is left alone, what nobody wants goes.

use std::sync::Arc;

use crds::{Drift, Existing, PlacedObject, Removal, label, object, placement_reason as reason};
use futures::StreamExt as _;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::core::ApiResource;
use plan::placement::asks;
use plan::placement::centre::{Plan, Source, Spot, Want};
use plan::placement::message::halves;
use plan::placement::object::{Here, compared, desired, marked};
use plan::placement::row::{State, Version};
use plan::placement::template;
use plan::placement::{drift, exclusive};
use serde_json::{Value, json};

use super::around::{Around, here};
use super::checked::Checked;
use super::kinds::failed_by;
use super::live::Live;
use super::{AT_ONCE, HubTemplate, Placements, Standing};
use crate::call::{CallError, call};
use crate::fail_point::Step;

/// What came of an object.
pub(super) struct Outcome {
    pub(super) state: State,
    pub(super) own: Option<Live>,
    pub(super) checked: Option<Checked>,
    /// What was put right, and who had changed it.
    pub(super) corrected: Option<String>,
}

impl From<Checked> for Outcome {
    fn from(checked: Checked) -> Self {
        let outcome = Self::from(checked.state.clone());
        Self {
            checked: Some(checked),
            ..outcome
        }
    }
}

impl From<State> for Outcome {
    fn from(state: State) -> Self {
        Self {
            state,
            own: None,
            checked: None,
            corrected: None,
        }
    }
}

/// Why there is nothing to apply.
fn absent(object: &PlacedObject, source: &Source) -> String {
    match source {
        Source::Template => format!("{object} has no template yet | {object} 尚无模板"),
        Source::Revision(revision) => {
            format!("{object}: revision {revision} is not seen yet | {object}：尚未见到版本 {revision}")
        }
        Source::Later => {
            format!("{object} waits until another centre runs it well | {object} 待其他中心运行正常后部署")
        }
    }
}

/// Deletes just that object, and what belongs to it.
async fn delete(api: &Api<DynamicObject>, name: &str, live: &Live) -> Result<(), CallError> {
    let only = Preconditions {
        uid: Some(live.uid.clone()),
        resource_version: None,
    };
    let params = DeleteParams::background().preconditions(only);
    call("delete an object", api.delete(name, &params)).await.map(drop)
}

impl Placements {
    fn failed(&self, spot: &Spot, error: &CallError) -> State {
        if let Some(why) = self.custom.refused(&spot.1, error) {
            return failed_by(why);
        }
        let (error, what) = (error.to_string(), &spot.1);
        let (en, zh) = halves(&error);
        let message = format!("{what}: {en}; it is tried again | {what}：写入失败，将自动重试：{zh}");
        State::Failed(reason::APPLY_FAILED, message)
    }

    /// Makes one object as wanted.
    pub(super) async fn object(
        &self,
        spot: &Spot,
        want: &Want,
        template: Option<&Arc<HubTemplate>>,
        around: &Around<'_>,
    ) -> Outcome {
        if let Some(why) = self.custom.lacks(&spot.1.kind) {
            return failed_by(why).into();
        }
        let live = around.standing.get(spot);
        let Some(template) = template.filter(|_| !want.kept) else {
            // Without a template, or without a word that it may change, what stands stays.
            return match (live, self.custom.template_unseen(&spot.1.kind)) {
                (Some(_), _) => State::Done(Version::default()).into(),
                (None, Some(why)) => failed_by(why).into(),
                (None, None) => State::Waits(absent(&spot.1, &want.source)).into(),
            };
        };
        if live.is_some_and(|l| l.deleting) {
            let what = &spot.1;
            return State::Waits(format!(
                "{what} is being deleted; it is made again | {what} 正在删除，随后重建"
            ))
            .into();
        }
        let here = match here(spot, want, live, template, around) {
            Ok(here) => here,
            Err(live) => return self.made_anew(spot, live).await,
        };
        let check = Checked::new(want, live, template, here);
        if let Some(before) = self.found(spot, &check).filter(|_| live.is_some()) {
            return before.clone().into();
        }
        let parsed: Value = serde_json::from_str(&template.text).unwrap_or_default();
        let plain = match desired(&spot.1, &parsed, &check.here) {
            Ok(plain) => plain,
            Err(why) => return State::Failed(reason::OVERRIDE_FAILED, why).into(),
        };
        // An override may refer to something else.
        let overridden = (!check.here.overrides.is_empty()).then(|| template::read(&spot.1.kind, &plain).needs);
        if let Some(lack) = around.lacks(spot, overridden.as_ref().unwrap_or(&template.facts.needs)) {
            let message = format!("{0} waits for {lack} | {0} 等待其依赖对象 {lack}", spot.1);
            return State::Waits(message).into();
        }
        if let Some(live) = live {
            return self.compare((spot, live), plain, check, want.held.as_ref()).await;
        }
        if let Some(waits) = self.unguarded(spot, &check.here) {
            return waits.into();
        }
        self.make(spot, want, plain, check).await
    }

    /// Makes what the watch does not show: where something stands all the same, it says whether it may be written.
    async fn make(&self, spot: &Spot, want: &Want, plain: Value, check: Checked) -> Outcome {
        let (value, _) = marked(plain.clone(), &check.here);
        if let Some(created) = self.create(spot, value.clone(), &check.state).await {
            return created;
        }
        match self.may_create(spot, want, &plain).await {
            Ok(force) => self.put(spot, &value, force, check.state).await,
            Err(state) => state.into(),
        }
    }

    /// Applies an object that is not there; `None` where one of that name is, which is left as it is.
    async fn create(&self, spot: &Spot, mut value: Value, done: &State) -> Option<Outcome> {
        if let Some(metadata) = value.pointer_mut("/metadata").and_then(Value::as_object_mut) {
            // No object has this version. Where there is none, it is not compared.
            metadata.insert("resourceVersion".to_owned(), json!("1"));
        }
        let (api, resource) = match self.at(spot) {
            Ok(at) => at,
            Err(state) => return Some(state.into()),
        };
        match self.send(spot, &api, &value, false).await {
            Err(error) if error.is_conflict() => None,
            answer => Some(self.written(spot, &resource, answer, done.clone())),
        }
    }

    /// Why an exclusive object is not made yet: the record has to name it first, so that nobody scales it by hand.
    fn unguarded(&self, spot: &Spot, here: &Here) -> Option<State> {
        let guard = here.exclusive.and_then(|_| exclusive::guard(spot))?;
        (!self.guards.contains(&guard)).then(|| {
            let message = format!("{0} waits for the centre's record | {0} 等待写入中心记录", spot.1);
            State::Waits(message)
        })
    }

    /// The template of a Job was deleted and made anew, which asks for another run: the one that stands makes way.
    async fn made_anew(&self, spot: &Spot, live: &Live) -> Outcome {
        let answer = match self.at(spot) {
            Ok((api, _)) => delete(&api, &spot.1.name, live).await,
            Err(state) => return state.into(),
        };
        self.metrics.write(spot.1.kind.label(), answer.is_ok());
        match answer {
            Err(error) if !error.is_outdated() => self.failed(spot, &error).into(),
            _ => {
                tracing::info!(
                    namespace = spot.0,
                    name = spot.1.name,
                    "of another template, taken away"
                );
                let what = &spot.1;
                State::Waits(format!(
                    "{what} has a new template: it is made again | {what} 的模板已重建，将重新创建"
                ))
                .into()
            }
        }
    }

    /// Puts right what differs, or tells it. `held`: the template that lets nothing new be applied.
    async fn compare(
        &self,
        (spot, live): (&Spot, &Live),
        plain: Value,
        mut check: Checked,
        held: Option<&PlacedObject>,
    ) -> Outcome {
        let (mut value, mark) = marked(plain, &check.here);
        let is = serde_json::from_str(&live.text).unwrap_or_default();
        let paths = drift::paths(&compared(&value, &check.here), &is);
        if paths.is_empty() {
            return check.into();
        }
        // Otherwise the template changed since, which is applied whatever is said about drift.
        let drifted = live.mark.as_ref() == Some(&mark) && live.placement == check.here.placement;
        if let Some(by) = held.filter(|_| !drifted) {
            return State::Waits(asks::waits(by)).into();
        }
        let (object, owner, (en, zh)) = (&spot.1, &live.owner, drift::told(&paths));
        let told = format!("{object}: {en} changed by {owner} | {object}：{zh} 已被 {owner} 修改");
        if drifted && check.drift == Drift::Report {
            check.state = State::Failed(reason::DRIFTED, told);
            return check.into();
        }
        if check.here.exclusive.is_some()
            && let Some(metadata) = value.pointer_mut("/metadata").and_then(Value::as_object_mut)
        {
            // What was read before the right was looked at: a write that lands late finds something else.
            metadata.insert("resourceVersion".to_owned(), json!(live.version.to_string()));
        }
        let mut outcome = self.put(spot, &value, true, check.state).await;
        if drifted && outcome.own.is_some() {
            tracing::warn!(namespace = spot.0, what = told, "drift corrected");
            self.metrics.corrected(object.kind.label());
            outcome.corrected = Some(told);
        }
        outcome
    }

    /// Whether the object may be written where the watch shows none: answers whether it is to be taken over.
    async fn may_create(&self, spot: &Spot, want: &Want, plain: &Value) -> Result<bool, State> {
        let (api, resource) = self.at(spot)?;
        let found = call("look for an object", api.get_opt(&spot.1.name))
            .await
            .map_err(|e| self.failed(spot, &e))?;
        let Some(found) = found.map(|o| Live::read((&spot.1.kind, &resource, o))) else {
            return Ok(false);
        };
        // Only its label was taken away.
        if found.ours {
            return Ok(true);
        }
        let refused = |en: &str, zh: &str| {
            let (object, owner) = (&spot.1, &found.owner);
            let message = format!(
                "{object} exists and was written by {owner}{en}; rename one, remove it, or set existing | {object} 已存在，由 {owner} 创建{zh}，请更名、移除或设置 existing"
            );
            State::Failed(reason::OBJECT_EXISTS, message)
        };
        match want.existing {
            Existing::TakeOver => Ok(true),
            Existing::Refuse => Err(refused("", "")),
            Existing::AdoptIfEqual => {
                let mut wanted = plain.clone();
                if let Some(labels) = wanted.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
                    labels.remove(label::PLACEMENT);
                }
                let is: Value = serde_json::from_str(&found.text).unwrap_or_default();
                let paths = drift::paths(&wanted, &is);
                if paths.is_empty() {
                    Ok(true)
                } else {
                    let (en, zh) = drift::told(&paths);
                    Err(refused(&format!(", differs at {en}"), &format!("，{zh} 不一致")))
                }
            }
        }
    }

    async fn put(&self, spot: &Spot, value: &Value, force: bool, done: State) -> Outcome {
        let (api, resource) = match self.at(spot) {
            Ok(at) => at,
            Err(state) => return state.into(),
        };
        let answer = self.send(spot, &api, value, force).await;
        self.written(spot, &resource, answer, done)
    }

    async fn send(
        &self,
        spot: &Spot,
        api: &Api<DynamicObject>,
        value: &Value,
        force: bool,
    ) -> Result<DynamicObject, CallError> {
        let mut params = PatchParams::apply(object::AGENT);
        params.force = force;
        call(
            spot.1.kind.label(),
            api.patch(&spot.1.name, &params, &Patch::Apply(value)),
        )
        .await
    }

    /// What came of a write.
    fn written(
        &self,
        spot: &Spot,
        resource: &ApiResource,
        answer: Result<DynamicObject, CallError>,
        done: State,
    ) -> Outcome {
        let kind = spot.1.kind.label();
        self.metrics.write(kind, answer.is_ok());
        match answer {
            Ok(written) => {
                tracing::info!(namespace = spot.0, kind, name = spot.1.name, "applied");
                self.fail_points.reached(Step::ObjectApplied);
                Outcome {
                    own: Some(Live::read((&spot.1.kind, resource, written))),
                    ..Outcome::from(done)
                }
            }
            Err(error) => {
                tracing::warn!(namespace = spot.0, kind, name = spot.1.name, %error, "not applied; tried again");
                self.failed(spot, &error).into()
            }
        }
    }

    /// Takes away what no decision wants, or lets go of it. Answers whether all of that worked.
    pub(super) async fn take_away(&mut self, plan: &Plan, standing: &Standing) -> bool {
        let this = &*self;
        let goes = plan
            .goes
            .iter()
            .filter_map(|(spot, removal)| Some((spot, removal, standing.get(spot)?)));
        let writes = goes.filter(|(_, _, live)| !live.deleting).map(|(spot, removal, live)| async move {
            let Ok((api, _)) = this.at(spot) else {
                return (spot, false);
            };
            let answer = match removal {
                Removal::Delete => {
                    delete(&api, &spot.1.name, live).await
                }
                Removal::Orphan => {
                    let metadata = json!({"uid": live.uid, "labels": {label::PLACEMENT: null}, "annotations": {label::APPLIED: null}});
                    let patch = Patch::Merge(json!({"metadata": metadata}));
                    let params = PatchParams { field_manager: Some(object::AGENT.to_owned()), ..PatchParams::default() };
                    call("let go of an object", api.patch(&spot.1.name, &params, &patch)).await.map(drop)
                }
            };
            let gone = answer.as_ref().is_err_and(CallError::is_outdated);
            this.metrics.write(spot.1.kind.label(), answer.is_ok() || gone);
            tracing::info!(namespace = spot.0, kind = spot.1.kind.name(), name = spot.1.name, ?removal, done = answer.is_ok(), "taken away");
            (spot, answer.is_ok() || gone)
        });
        let outcomes: Vec<_> = futures::stream::iter(writes).buffer_unordered(AT_ONCE).collect().await;
        let worked = outcomes.iter().all(|(_, done)| *done);
        for (spot, _) in outcomes {
            self.own.remove(spot);
        }
        worked
    }
}
