//! Three runs at scaled times, on one cloud: each comes to its end, and nobody ever wrote in two places.

use crate::{ground, run, stage};

#[tokio::test(flavor = "multi_thread")]
async fn three_random_faults_and_no_double_write() -> anyhow::Result<()> {
    let world = ground::with(Some(run::scaled())).await?;
    stage::a_grant_makes_room(&world).await?;
    for number in 0..3 {
        let line = run::one(&world, number, true).await;
        println!("{line}");
        anyhow::ensure!(line["violations"] == 0 && line["error"].is_null(), "{line:#}");
        anyhow::ensure!(line["writes"].as_u64().is_some_and(|writes| writes > 0), "{line:#}");
    }
    Ok(())
}
