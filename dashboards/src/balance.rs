//! Whether the centres carry alike, and whether memory lies idle because the vCPU beside it are sold. Both are advice.

/// Points between the fullest and the emptiest centre of a pool from which somebody should look (design: 15 for an hour).
pub const MOST_SKEW: f64 = 0.15;
/// Part of a pool's memory that may be stranded (design: a tenth for a day).
pub const MOST_STRANDED: f64 = 0.1;
/// Memory that goes with a vCPU: 4 GiB, the ratio of the plan (400 TB on 100,000 vCPU).
const MEMORY_OF_A_VCPU: u64 = 4 << 30;

fn figure(name: &str, resource: &str, by: &str) -> String {
    format!("max by ({by}) (xiangyun_pool{{figure=\"{name}\"{resource}}})")
}

/// By pool and resource: how much fuller the fullest centre is than the emptiest, by what pods request there. A pool of one
/// centre has no skew.
pub fn skew() -> String {
    let by = "pool, centre, resource";
    let used = format!("{} / ({} > 0)", figure("used", "", by), figure("committable", "", by));
    format!("max by (pool, resource) ({used}) - min by (pool, resource) ({used})")
}

/// By pool and centre: the part of the memory that is free and has no free vCPU beside it.
pub fn stranded() -> String {
    let of = |name, resource| figure(name, &format!(",resource=\"{resource}\""), "pool, centre");
    let (memory, cpu) = (of("free", "memory"), of("free", "cpu"));
    let all = of("committable", "memory");
    format!("clamp_min({memory} - {MEMORY_OF_A_VCPU} * clamp_min({cpu}, 0), 0) / ({all} > 0)")
}
