//! The commands about one placement.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::diff::{Diff, Looked};
use super::{diff, live, page, print, seen, verdict};
use crate::clock::{now, today};
use crate::connect::Hub;
use crate::failure::Failure;
use crate::run::Out;
use crate::spelling::CentreContext;

pub(crate) async fn status(hub: &Hub, name: &str, out: Out) -> Result<u8, Failure> {
    let (placement, seen) = seen::one(hub, name).await?;
    let page = page::page(&placement, &seen, now());
    out.put(&page, print::page)?;
    Ok(0)
}

pub(crate) async fn why(hub: &Hub, name: &str, out: Out) -> Result<u8, Failure> {
    let (placement, seen) = seen::one(hub, name).await?;
    let verdict = verdict::verdict(&placement, &seen, now(), today());
    out.put(&verdict, print::verdict)?;
    Ok(verdict.state.exit())
}

pub(crate) async fn diff(
    hub: &Hub,
    name: &str,
    centres: &[CentreContext],
    config: Option<PathBuf>,
    out: Out,
) -> Result<u8, Failure> {
    let found = compared(hub, name, centres, config)
        .await
        .map_err(|failure| match failure {
            // As with `kubectl diff`, 1 says that something differs; a failure is more than that.
            Failure::Refused(words) => Failure::Unreachable(words),
            other => other,
        })?;
    out.put(&found, print::diff)?;
    Ok(u8::from(found.differs()))
}

async fn compared(hub: &Hub, name: &str, centres: &[CentreContext], config: Option<PathBuf>) -> Result<Diff, Failure> {
    let (placement, seen) = seen::one(hub, name).await?;
    let mut looked: Looked = BTreeMap::new();
    let (target, _) = diff::target(&placement, &seen);
    for centre in centres {
        let look = async {
            let there = Hub::connect(config.clone(), Some(centre.context.clone()), None).await?;
            live::look(&there, &centre.name, &placement, &seen, &target).await
        };
        let live = look.await.map_err(|failure| failure.at(&centre.name))?;
        looked.insert(centre.name.clone(), live);
    }
    Ok(diff::diff(&placement, &seen, &looked))
}
