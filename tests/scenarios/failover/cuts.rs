//! Places that do not hear each other, while every process in them lives.

use anyhow::{Context as _, Result, ensure};
use playground::{Cut, Place, eventually};

use crate::ground::{LONG, OUTLASTS, rto};
use crate::stage::NS;
use crate::world::World;

/// The two, in either direction and in both: each hears the witness, and beats on through it. The witness and one of them: the
/// other one still sees life.
pub(crate) async fn a_cut_between_two_moves_nothing(w: &World) -> Result<()> {
    use Place::{Baicheng, Jishi, Jiyidong};
    w.made("island").await?;
    let before = w.uids("jishi", "xiangyun.io/exclusive=island").await?;
    let cuts = [
        (Jiyidong, Jishi, true),
        (Jishi, Jiyidong, true),
        (Jishi, Jiyidong, false),
        (Jishi, Baicheng, false),
    ];
    for (place, other, one_way) in cuts {
        let pair = Cut::pair(place, other);
        w.cloud.cut(Cut { one_way, ..pair }).await?;
        w.goes_on("island", OUTLASTS).await?;
        w.cloud.heal(None).await?;
    }
    for centre in ["jishi", "jiyidong", "baicheng"] {
        w.witness(centre, "Granted").await?;
    }
    ensure!(w.uids("jishi", "xiangyun.io/exclusive=island").await? == before);
    w.nobody_wrote_twice()
}

/// Cut off from the other two, it stops what it may no longer run, although its writer could still be heard; whatever else
/// runs there is left alone.
pub(crate) async fn an_isolated_centre_stops_itself(w: &World) -> Result<()> {
    let web = w.uids("jishi", "name=web").await?;
    for other in [Place::Jiyidong, Place::Baicheng] {
        w.cloud.cut(Cut::pair(Place::Jishi, other)).await?;
    }
    let witness = w.witness("jishi", "Lost").await?;
    let name = format!("island-{}", witness["incident"].as_str().context("an incident")?);
    let done = w.phase(&name, "Succeeded").await?;
    ensure!(done["status"]["proof"]["kind"] == "PermitExpired", "{}", done["status"]);
    println!("isolated: RTO {} s", rto(&done)?);
    w.writes_in("island", "jiyidong").await?;
    eventually(LONG, "jishi stopped it by itself", || async {
        let found = w.get("jishi", &["deploy", "island", "-n", NS]).await?;
        ensure!(found["spec"]["replicas"] == 0, "{}", found["spec"]["replicas"]);
        Ok(())
    })
    .await?;
    ensure!(
        !web.is_empty() && w.uids("jishi", "name=web").await? == web,
        "web was touched"
    );
    w.cloud.heal(None).await?;
    w.witness("jishi", "Returned").await?;
    w.moves("island-home", "island", "Failback", ["jiyidong", "jishi"])
        .await?;
    w.phase("island-home", "Succeeded").await?;
    w.witness("jishi", "Granted").await?;
    w.nobody_wrote_twice()
}

/// The witness is lost: what runs goes on without a deadline, also when the two no longer hear each other and nobody can
/// decide anything. Afterwards it takes its deadline back on.
pub(crate) async fn a_lost_witness_pins(w: &World) -> Result<()> {
    w.made("pinned").await?;
    let before = w.uids("jishi", "xiangyun.io/exclusive=pinned").await?;
    w.cloud.cut(Cut::off(Place::Baicheng)).await?;
    w.witness("baicheng", "Lost").await?;
    w.armed("pinned", "WitnessLost").await?;
    w.goes_on("pinned", OUTLASTS).await?;
    w.cloud.cut(Cut::pair(Place::Jishi, Place::Jiyidong)).await?;
    w.goes_on("pinned", OUTLASTS).await?;
    w.cloud.heal(None).await?;
    w.witness("baicheng", "Granted").await?;
    w.armed("pinned", "Armed").await?;
    w.goes_on("pinned", OUTLASTS).await?;
    ensure!(w.uids("jishi", "xiangyun.io/exclusive=pinned").await? == before);
    let moves = w.moves_of("pinned").await?;
    ensure!(moves.is_empty(), "{moves:?}");
    w.nobody_wrote_twice()
}
