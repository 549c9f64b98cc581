//! Tenants in the hub: their namespace, the roles of their administrators, and their place in the tree.
//!
//! Deleting a Tenant leaves its namespace: it holds the department's requests, and they go only by their own rules.

mod apply;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crds::{Tenant, label, object, tenant_reason as reason};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::runtime::watcher::Config;
use kube::{Client, ResourceExt as _};
use prometheus::Registry;
use tokio::sync::Notify;

use crate::cache::{Cache, NotReady};
use crate::call::CallError;
use crate::clock::Clock;
use crate::events::Events;
use crate::operator::Common;
use crate::pass::{Rhythm, drive};
use crate::rows::{Rows, count};

/// What became of a tenant in this pass.
struct Outcome {
    reason: &'static str,
    message: String,
}

struct Controller {
    client: Client,
    events: Events,
    clock: Clock,
    shown: Rows,
    tenants: Cache<Tenant>,
    namespaces: Cache<Namespace>,
    bindings: Cache<RoleBinding>,
}

/// Its figures: tenants by the reason of their condition Ready.
///
/// # Errors
/// A name that is registered already.
pub fn figures(registry: &Registry) -> prometheus::Result<Rows> {
    let says = "Tenants by the reason of their condition Ready";
    Rows::new(registry, "xiangyun_tenants", says, &["reason"])
}

/// Runs until it is stopped.
///
/// # Errors
/// A cache that never filled.
pub async fn run(common: Common, shown: Rows) -> Result<(), NotReady> {
    let Common {
        client,
        events,
        clock,
        passes,
        stop,
    } = common;
    let changed = Arc::new(Notify::new());
    let ours = Config::default().labels(&format!("{}={}", label::MANAGED_BY, object::CONTROLLER));
    let (tenants, t) = Cache::start(client.clone(), Config::default(), Arc::clone(&changed));
    let (namespaces, n) = Cache::start(client.clone(), Config::default(), Arc::clone(&changed));
    let (bindings, b) = Cache::start(client.clone(), ours, Arc::clone(&changed));
    let controller = Controller {
        client,
        events,
        clock,
        shown,
        tenants,
        namespaces,
        bindings,
    };
    controller.ready().await?;
    tokio::select! {
        () = drive("tenant", Rhythm::default(), &passes, changed, stop, async || controller.pass().await) => Ok(()),
        _ = futures::future::select_all([t, n, b]) => Ok(()),
    }
}

impl Controller {
    async fn ready(&self) -> Result<(), NotReady> {
        self.tenants.ready().await?;
        self.namespaces.ready().await?;
        self.bindings.ready().await
    }

    /// One tenant that cannot be established does not stop the others; the first error is answered at the end.
    async fn pass(&self) -> Result<Option<Duration>, CallError> {
        let tenants = self.tenants.list();
        let standing = plan::tenants::standing(&tenants);
        let mut by_reason: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut first = Ok(None);
        for tenant in &tenants {
            let outcome = match standing.get(&tenant.name_any()) {
                Some(Err(invalid)) => Outcome {
                    reason: invalid.reason,
                    message: invalid.message.clone(),
                },
                _ => match self.establish(tenant).await {
                    Ok(outcome) => outcome,
                    Err(error) => {
                        let message = format!("{error}; it is tried again | 写入失败，将自动重试");
                        first = first.and(Err(error));
                        Outcome {
                            reason: reason::APPLY_FAILED,
                            message,
                        }
                    }
                },
            };
            *by_reason.entry(outcome.reason).or_default() += 1;
            if let Err(error) = status::write(self, tenant, &outcome, self.clock.now()).await {
                first = first.and(Err(error));
            }
        }
        let rows = by_reason.into_iter();
        self.shown
            .replace(rows.map(|(reason, number)| (vec![reason.to_owned()], count(number))));
        first
    }
}
