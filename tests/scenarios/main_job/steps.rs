//! The list of steps: each is run, named where it fails, and its time printed. `STEPS=one,two` runs those alone, in the
//! order of the list; whatever a step builds on has to be named too. `world => method` asks the world after each step,
//! and prints what it tells.

/// What a step answers: a result, or nothing where it panics on an assumption that fails.
pub(crate) trait Outcome {
    fn outcome(self) -> anyhow::Result<()>;
}

impl Outcome for anyhow::Result<()> {
    fn outcome(self) -> anyhow::Result<()> {
        self
    }
}

impl Outcome for () {
    fn outcome(self) -> anyhow::Result<()> {
        Ok(())
    }
}

macro_rules! steps {
    ($world:expr $(=> $after:ident)?, $($module:ident::$step:ident),* $(,)?) => {{
        let world = $world;
        let after = async || {
            let told: &[String] = &[$(", ".to_owned(), world.$after().await?)?];
            anyhow::Ok(told.concat())
        };
        let chosen = std::env::var("STEPS").ok();
        let chosen: Option<Vec<&str>> = chosen.as_deref().map(|names| names.split(',').collect());
        if let Some(unknown) = chosen.iter().flatten().find(|name| ![$(stringify!($step)),*].contains(name)) {
            anyhow::bail!("no step {unknown}");
        }
        $(
            if chosen.as_ref().is_none_or(|names| names.contains(&stringify!($step))) {
                let started = std::time::Instant::now();
                let outcome = $crate::steps::Outcome::outcome($module::$step(&world).await);
                anyhow::Context::context(outcome, stringify!($step))?;
                let told = anyhow::Context::context(after().await, concat!(stringify!($step), ": afterwards"))?;
                println!("step {} ok, {:.1} s{told}", stringify!($step), started.elapsed().as_secs_f32());
            }
        )*
        Ok(())
    }};
}
