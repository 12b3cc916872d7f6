//! x
fn main() -> anyhow::Result<()> {
    experiments::interrupt::watch()?;
    let setting = experiments::experiment::Setting {
        effort: experiments::bench::Effort::quick(),
        image_dir: None,
        zus: None,
        progress: experiments::progress::Progress::new("handoff", false),
    };
    let o = experiments::experiment::Experiment::by_name("handoff")?.run(&setting)?;
    print!("{}", experiments::table::render(&o.results));
    std::fs::write("/tmp/perfx/h.json", o.results.to_json())?;
    perf::histogram::write_log(
        &mut std::fs::File::create("/tmp/perfx/h.hlog")?,
        o.began,
        &o.intervals,
    )?;
    Ok(())
}
