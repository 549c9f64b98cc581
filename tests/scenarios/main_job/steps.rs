//! The list of steps: each is run, named where it fails, and its time printed. `STEPS=one,two` runs those alone, in the
//! order of the list; whatever a step builds on has to be named too.

macro_rules! steps {
    ($world:expr, $($module:ident::$step:ident),* $(,)?) => {{
        let world = $world;
        let chosen = std::env::var("STEPS").ok();
        let chosen: Option<Vec<&str>> = chosen.as_deref().map(|names| names.split(',').collect());
        if let Some(unknown) = chosen.iter().flatten().find(|name| ![$(stringify!($step)),*].contains(name)) {
            anyhow::bail!("no step {unknown}");
        }
        $(
            if chosen.as_ref().is_none_or(|names| names.contains(&stringify!($step))) {
                let started = std::time::Instant::now();
                anyhow::Context::context($module::$step(&world).await, stringify!($step))?;
                println!("step {} ok, {:.1} s", stringify!($step), started.elapsed().as_secs_f32());
            }
        )*
        Ok(())
    }};
}
