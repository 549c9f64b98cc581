//! What `join` prints, against files: both languages, for the stage that writes nothing and for the one that does.
//! `UPDATE_GOLDEN=1 cargo test` writes them anew; read the difference before it is committed.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

use std::path::Path;

use crds::MemberStage;
use kubectl_xiangyun::join::{Joining, manifest};
use kubectl_xiangyun::lang::Lang;

#[test]
fn the_stream_of_a_member() {
    for (stage, name) in [
        (MemberStage::Observed, "observed"),
        (MemberStage::Scheduled, "scheduled"),
    ] {
        for (lang, tag) in [(Lang::En, "en"), (Lang::Zh, "zh")] {
            let joining = Joining {
                name: "yanbian".into(),
                stage,
                hub: "https://hub.jl.example:6443".into(),
                ca: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".into(),
                image: None,
            };
            let text = manifest(&joining, lang).unwrap();
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
            let path = folder.join(format!("join-{name}.{tag}.yaml"));
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::write(&path, &text).unwrap();
            }
            let expected = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(text, expected, "{} differs", path.display());
        }
    }
}
