//! The list of steps: after each the ledger is what requests hold, and its time is printed.

macro_rules! steps {
    ($world:expr, $($module:ident::$step:ident),* $(,)?) => {
        $(
            let started = std::time::Instant::now();
            anyhow::Context::context($module::$step(&$world).await, stringify!($step))?;
            let told = anyhow::Context::context($world.at_rest().await, concat!(stringify!($step), ": afterwards"))?;
            println!("step {} ok, {:.1} s, {told}", stringify!($step), started.elapsed().as_secs_f32());
        )*
    };
}
