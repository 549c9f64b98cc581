//! The arbiter's protocol on the real store: five voters over three places, real cuts between them. One cloud for all
//! steps; each goes on from where the one before left it.

#[path = "../main_job/steps.rs"]
#[macro_use]
mod steps;

mod cuts;
mod takeover;
mod voices;

#[tokio::test(flavor = "multi_thread")]
async fn arbiter() -> anyhow::Result<()> {
    let world = voices::World::up().await?;
    steps!(
        world,
        cuts::its_client_is_let_into_nothing_else,
        cuts::beats_pass_through_the_third_place,
        takeover::a_silent_place_is_taken_over_after_its_deadline,
        takeover::what_was_given_up_lands_without_effect,
    )
}
