// SPDX-License-Identifier: MIT
//! What a hand-off costs: `cargo run --release -p relay --example ping [STRATEGY [SAME|CROSS [COUNT]]]`.
//! Without arguments, every strategy with both sides on one CPU and, where there are two, on two.

use relay::{Bell, Client, Policy, Server, SlotRef, Strategy, calibrate, cpu};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn main() -> std::process::ExitCode {
    match run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("ping: {why}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let strategies = match arguments.next() {
        Some(name) => vec![name.parse()?],
        None => Strategy::ALL.to_vec(),
    };
    let placement = arguments.next().map(|name| name.to_lowercase());
    if let Some(other) = placement
        .as_ref()
        .filter(|name| !["same", "cross"].contains(&name.as_str()))
    {
        return Err(format!("unknown placement '{other}' (there are same, cross)").into());
    }
    let count: Option<usize> = arguments.next().map(|count| count.parse()).transpose()?;
    let window = calibrate::window();
    println!("window {window:?}");
    println!("strategy   cpus   p50 ns   p99 ns  polls/op  yields/op  parks/op  wakes/op");
    let cpus = cpu::allowed();
    for strategy in strategies {
        for (name, there) in [("same", cpus[0]), ("cross", cpus[cpus.len() - 1])] {
            let asked = placement.as_ref().is_none_or(|asked| asked == name);
            if asked && (name == "same" || there != cpus[0]) {
                ping(strategy, window, (cpus[0], there), count)?;
            }
        }
    }
    Ok(())
}

fn ping(
    strategy: Strategy,
    window: Duration,
    (here, there): (u32, u32),
    count: Option<usize>,
) -> Result<(), Box<dyn std::error::Error>> {
    // Spinning on one CPU costs a time slice a turn.
    let hopeless = strategy == Strategy::Spin && here == there;
    let count = count.unwrap_or(if hopeless { 50 } else { 50_000 });
    let policy = Arc::new(Policy::new(strategy, window));
    let slot = SlotRef::private();
    // The baseline is two eventfds; the others sleep on the slot.
    let bell = || match strategy {
        Strategy::Waitqueue => Bell::new_blocking_eventfd(),
        _ => Ok(Bell::futex()),
    };
    let (request, reply) = (bell()?, bell()?);
    let mut client = Client::new(slot.clone(), policy.clone(), request.clone(), reply.clone());
    let mut server = Server::new(slot, policy, request, reply);
    let (client_stats, server_stats) = (client.stats().clone(), server.stats().clone());
    let serving = std::thread::spawn(move || {
        cpu::pin(there)?;
        while server.next(None).is_ok() {
            server.reply(&[])?;
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    });
    cpu::pin(here)?;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        client.call(&[], None)?;
        times.push(start.elapsed());
    }
    client.close();
    serving
        .join()
        .map_err(|_| "the server panicked")?
        .map_err(|why| why.to_string())?;
    times.sort_unstable();
    let (one, two) = (client_stats.snapshot(), server_stats.snapshot());
    let each = |sum: u64| sum as f64 / count as f64;
    println!(
        "{:<10} {here},{there}  {:>8} {:>8}  {:>8.2}  {:>9.3}  {:>8.3}  {:>8.3}",
        strategy,
        times[count / 2].as_nanos(),
        times[count - 1 - count / 100].as_nanos(),
        each(one.polls + two.polls),
        each(one.yields + two.yields),
        each(one.parks + two.parks),
        each(one.wakes + two.wakes),
    );
    Ok(())
}
