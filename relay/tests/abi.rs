// SPDX-License-Identifier: MIT
//! The slot in Rust is the slot in `kmod/uapi/zuf_relay.h`: a C probe prints every size, offset and
//! value, and they are compared.
#![cfg(not(loom))]

use relay::state::{self, Word};
use relay::{Block, INLINE, SLOT_SIZE, Slot, presence};
use std::mem::{align_of, size_of};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each expression in C, and what it is here.
fn expectations() -> Vec<(&'static str, u64)> {
    let word = Word::new(0x1234, 120, state::FULL);
    let all = [
        ("sizeof(struct zuf_relay_block)", size_of::<Block>()),
        ("sizeof(struct zuf_relay_slot)", size_of::<Slot>()),
        ("sizeof(struct zuf_relay_slot)", SLOT_SIZE),
        ("_Alignof(struct zuf_relay_block)", align_of::<Block>()),
        ("_Alignof(struct zuf_relay_slot)", align_of::<Slot>()),
        ("ZUF_RELAY_ALIGN", align_of::<Slot>()),
        ("offsetof(struct zuf_relay_slot, request)", Slot::REQUEST_OFFSET),
        ("offsetof(struct zuf_relay_slot, reply)", Slot::REPLY_OFFSET),
        ("offsetof(struct zuf_relay_block, word)", Block::WORD_OFFSET),
        (
            "offsetof(struct zuf_relay_block, presence)",
            Block::PRESENCE_OFFSET,
        ),
        (
            "offsetof(struct zuf_relay_block, inline_words)",
            Block::INLINE_OFFSET,
        ),
        ("sizeof(((struct zuf_relay_block *)0)->inline_words)", INLINE),
        ("ZUF_RELAY_INLINE", INLINE),
    ];
    let values = [
        ("ZUF_RELAY_SEQ_SHIFT", state::SEQ_SHIFT),
        ("ZUF_RELAY_LEN_SHIFT", state::LEN_SHIFT),
        ("ZUF_RELAY_ANNOUNCED", state::ANNOUNCED),
        ("ZUF_RELAY_DEAD", state::DEAD),
        ("ZUF_RELAY_CLOSED", state::CLOSED),
        ("ZUF_RELAY_CONTENT_MASK", state::CONTENT_MASK),
        ("ZUF_RELAY_EMPTY", state::EMPTY),
        ("ZUF_RELAY_FULL", state::FULL),
        ("ZUF_RELAY_ABANDONED", state::ABANDONED),
        ("ZUF_RELAY_ASLEEP", presence::ASLEEP),
        ("ZUF_RELAY_CPU_MASK", presence::CPU_MASK),
        ("zuf_relay_word(0x1234, 120, ZUF_RELAY_FULL)", word.bits()),
        (
            "zuf_relay_seq(0x1234ffffu)",
            Word::from_bits(0x1234_ffff).seq().into(),
        ),
        (
            "zuf_relay_is_ended(ZUF_RELAY_CLOSED)",
            word.closed().is_ended().into(),
        ),
        (
            "zuf_relay_is_ended(ZUF_RELAY_DEAD)",
            word.dead().is_ended().into(),
        ),
        ("zuf_relay_is_ended(~(ZUF_RELAY_CLOSED | ZUF_RELAY_DEAD))", 0),
        ("zuf_relay_running(7)", presence::running(7)),
        ("zuf_relay_running(7) | ZUF_RELAY_ASLEEP", presence::asleep(7)),
    ];
    let sizes = all.into_iter().map(|(name, value)| (name, value as u64));
    let mut list: Vec<_> = sizes
        .chain(values.into_iter().map(|(name, value)| (name, value.into())))
        .collect();
    list.push((
        "zuf_relay_len(0x1234ffffu)",
        Word::from_bits(0x1234_ffff).len() as u64,
    ));
    list
}

fn header() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../kmod/uapi/zuf_relay.h")
}

#[test]
fn the_header_and_the_mirror_agree_on_every_number() {
    if Command::new("cc").arg("--version").output().is_err() {
        return eprintln!("SKIPPED: there is no C compiler, so the slot's C header was not probed");
    }
    let expectations = expectations();
    let mut probe = format!(
        "#include <stdio.h>\n#include {:?}\nint main(void)\n{{\n",
        header()
    );
    for (name, _) in &expectations {
        probe += &format!("\tprintf(\"%llu\\n\", (unsigned long long)({name}));\n");
    }
    probe += "\treturn 0;\n}\n";
    let folder = tempfile::tempdir().unwrap();
    let (source, program) = (folder.path().join("probe.c"), folder.path().join("probe"));
    std::fs::write(&source, probe).unwrap();
    let compiling = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o"])
        .args([&program, &source])
        .output()
        .unwrap();
    assert!(
        compiling.status.success(),
        "{}",
        String::from_utf8_lossy(&compiling.stderr)
    );
    let output = Command::new(&program).output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let found: Vec<u64> = output.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(found.len(), expectations.len());
    for ((name, expected), found) in expectations.into_iter().zip(found) {
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn every_name_that_the_header_defines_is_probed() {
    let text = std::fs::read_to_string(header()).unwrap();
    let probed: String = expectations()
        .iter()
        .map(|(name, _)| format!("{name} "))
        .collect();
    let defined = text
        .lines()
        .filter_map(|line| line.strip_prefix("#define ZUF_RELAY_"));
    let names = defined.filter_map(|rest| rest.split_whitespace().next());
    // ASSERT is gone at the end, VERSION has no mirror yet, WORDS follows from INLINE.
    let names =
        names.filter(|name| !name.starts_with("ASSERT") && !["VERSION", "INLINE_WORDS"].contains(name));
    let missing: Vec<_> = names
        .filter(|name| !probed.contains(&format!("ZUF_RELAY_{name}")))
        .collect();
    assert!(missing.is_empty(), "not compared: {missing:?}");
}
