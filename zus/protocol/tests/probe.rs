// SPDX-License-Identifier: MIT
//! The mirror against the C header: every size, offset and value, found out by compiling C.

use std::fmt::Write as _;
use std::process::Command;

use zus_protocol::layout;

/// The oldest header that has the structs in the form mirrored here.
const OLDEST_HEADER: u32 = 38;

/// C has keywords that Rust has not, and the reverse: `type_` here is `type` there.
fn c_name(field: &str) -> &str {
    field.strip_suffix('_').unwrap_or(field)
}

/// Whether a field is room to grow: later headers give it other names. Its struct's size is compared.
fn is_room(field: &str) -> bool {
    let field = field.trim_start_matches('_');
    ["padding", "unused", "dummy", "spare", "reserved"]
        .iter()
        .any(|room| field.starts_with(room))
}

/// A program that prints a line for each thing that is in the header, and nothing for what is not.
fn program() -> String {
    let mut c = format!(
        "#include <stdio.h>\n#include <stddef.h>\n#include <linux/fuse.h>\n\
         int main(void) {{\nprintf(\"minor %d\\n\", FUSE_KERNEL_MINOR_VERSION);\n\
         #if FUSE_KERNEL_MINOR_VERSION >= {OLDEST_HEADER}\n"
    );
    let mut line = |guard: String, name: String, value: String| {
        let print = format!("printf(\"{name} %llu\\n\", (unsigned long long)({value}));");
        writeln!(c, "#if {guard}\n{print}\n#endif").expect("a string takes all");
    };
    for s in layout::STRUCTS {
        let guard = || format!("FUSE_KERNEL_MINOR_VERSION >= {}", s.since);
        line(guard(), s.name.to_string(), format!("sizeof(struct {})", s.name));
        for f in s.fields.iter().filter(|f| !is_room(f.name)) {
            let (name, field) = (format!("{}.{}", s.name, f.name), c_name(f.name));
            line(
                guard(),
                format!("{name}@"),
                format!("offsetof(struct {}, {field})", s.name),
            );
            line(
                guard(),
                name,
                format!("sizeof(((struct {} *)0)->{field})", s.name),
            );
        }
    }
    for constant in layout::CONSTANTS.iter().copied().flatten() {
        let (guard, name) = (format!("defined({})", constant.name), constant.name.to_string());
        line(guard, name.clone(), name);
    }
    for op in layout::OPCODES {
        let guard = format!("FUSE_KERNEL_MINOR_VERSION >= {}", op.since);
        line(guard, op.name.to_string(), op.name.to_string());
    }
    c + "#endif\nreturn 0; }\n"
}

/// What the mirror says of the same things.
fn mirrored() -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for s in layout::STRUCTS {
        all.push((s.name.to_string(), s.size as u64));
        for f in s.fields.iter().filter(|f| !is_room(f.name)) {
            all.push((format!("{}.{}@", s.name, f.name), f.offset as u64));
            all.push((format!("{}.{}", s.name, f.name), f.size as u64));
        }
    }
    all.extend(
        layout::CONSTANTS
            .iter()
            .copied()
            .flatten()
            .map(|c| (c.name.to_string(), c.value)),
    );
    all.extend(
        layout::OPCODES
            .iter()
            .map(|o| (o.name.to_string(), o.value as u64)),
    );
    all
}

#[test]
fn the_mirror_agrees_with_the_c_header() {
    let dir = std::env::temp_dir().join(format!("zus-protocol-probe-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a temporary folder");
    let (source, binary) = (dir.join("probe.c"), dir.join("probe"));
    std::fs::write(&source, program()).expect("the probe's source is written");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    // May name another header: `-I DIR`, where DIR/linux/fuse.h is.
    let flags = std::env::var("PROBE_CFLAGS").unwrap_or_default();
    let compiled = Command::new(&compiler)
        .args(flags.split_whitespace())
        .arg("-o")
        .arg(&binary)
        .arg(&source)
        .output();
    let compiled = match compiled {
        Ok(output) => output,
        Err(error) => {
            eprintln!("SKIPPED: no C compiler `{compiler}`: {error}. Install one (Debian: apt install gcc).");
            return;
        }
    };
    let complaint = String::from_utf8_lossy(&compiled.stderr);
    if complaint.contains("linux/fuse.h: No such file") {
        eprintln!("SKIPPED: no <linux/fuse.h>. Install it (Debian: apt install linux-libc-dev).");
        return;
    }
    assert!(
        compiled.status.success(),
        "the probe does not compile:\n{complaint}"
    );
    let run = Command::new(&binary).output().expect("the probe runs");
    let output = String::from_utf8(run.stdout).expect("the probe prints ASCII");
    std::fs::remove_dir_all(&dir).expect("the temporary folder goes");
    let found: std::collections::HashMap<&str, u64> = output
        .lines()
        .map(|line| {
            let (name, value) = line.split_once(' ').expect("a name and a value");
            (name, value.parse().expect("a number"))
        })
        .collect();
    let minor = found["minor"];
    if minor < OLDEST_HEADER as u64 {
        eprintln!("SKIPPED: <linux/fuse.h> is of 7.{minor}, older than 7.{OLDEST_HEADER}.");
        return;
    }
    let mut wrong = Vec::new();
    for (name, value) in mirrored() {
        match found.get(name.as_str()) {
            None => eprintln!("SKIPPED: {name}: not in the system's <linux/fuse.h>, which is of 7.{minor}"),
            Some(&c) if c != value => wrong.push(format!("{name}: {value} here, {c} in C")),
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "the mirror is wrong:\n{}", wrong.join("\n"));
}
