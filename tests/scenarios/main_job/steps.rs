//! The list of steps: each is run, named where it fails, and its time printed.

macro_rules! steps {
    ($world:expr, $($module:ident::$step:ident),* $(,)?) => {{
        let world = $world;
        $(
            let started = std::time::Instant::now();
            anyhow::Context::context($module::$step(&world).await, stringify!($step))?;
            println!("step {} ok, {:.1} s", stringify!($step), started.elapsed().as_secs_f32());
        )*
        Ok(())
    }};
}
