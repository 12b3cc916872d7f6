// SPDX-License-Identifier: MIT
//! Random operations come to what they come to in the model, also after an unmount or the death of the server.

use crate::model::Model;
use crate::operation::Operation;
use crate::support::{Random, difference, make, mount, sound, tree, unmount};

const ROUNDS: u64 = 6;
const OPERATIONS: usize = 80;

fn run(seed: u64) {
    let mut random = Random(seed);
    let store = make(256 << 20);
    let mut model = Model::new();
    for round in 0..ROUNDS {
        let fs = mount(&store);
        for _ in 0..OPERATIONS {
            let operation = Operation::random(&mut random);
            let (got, wanted) = (operation.run(&fs), model.run(&operation));
            assert_eq!(got, wanted, "seed {seed}: {operation:?}");
        }
        let differs = difference(&tree(&fs), &model.tree());
        assert_eq!(differs, None, "seed {seed}: round {round} before its end");
        if round % 2 == 0 {
            assert_eq!(unmount(fs, &store).orphans, 0);
        } else {
            std::mem::forget(fs);
            sound(&store);
        }
        let fs = mount(&store);
        let differs = difference(&tree(&fs), &model.tree());
        assert_eq!(differs, None, "seed {seed}: round {round} after its end");
        unmount(fs, &store);
    }
}

#[test]
fn random_operations_come_to_what_they_should() {
    // One more seed by name: ZUS_SEED=n.
    let named = std::env::var("ZUS_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in named.into_iter().chain(0..24) {
        run(seed);
    }
}
