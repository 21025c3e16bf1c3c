//! What counting phases costs: decodes the same tokens of the starter with telemetry off and on by turns, and compares the
//! fastest quarter of each, which other load on the machine disturbs least.
//!
//!     cargo run --release -p onebit-engine --example telemetry_cost

#![expect(clippy::print_stdout, reason = "the report of a measurement")]

use std::path::Path;
use std::time::Instant;

use onebit_engine::arch::{Batch, Head, Resident, ResidentOptions};
use onebit_engine::lane::{self, KvDtype, LaneChoice, Row};
use onebit_engine::model;
use onebit_engine::telemetry::Telemetry;

const TURNS: usize = 200;
const TOKENS: u32 = 16;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models/starter.gguf");
    let file = model::open(&path)?;
    let mut lane = lane::open(LaneChoice::Cpu, 0)?;
    let options = ResidentOptions {
        kv_dtype: KvDtype::F16,
        kv_pages: 1,
        max_rows: 1,
        max_logit_rows: 1,
        head: Head::default(),
    };
    let mut resident = Resident::load(&file, lane.as_mut(), options, &mut |_, _| true)?;
    let telemetry = Telemetry::default();
    let mut nanos: [Vec<u128>; 2] = [Vec::new(), Vec::new()];
    for turn in 0..TURNS {
        let on = turn % 2 == 1;
        telemetry.set_on(on);
        let start = Instant::now();
        for position in 0..TOKENS {
            let rows = [Row { pages: &[0], position }];
            let batch = Batch { tokens: &[100 + position], rows: &rows, logit_rows: &[0], wanted: &[] };
            resident.forward(lane.as_mut(), &batch, &telemetry)?;
        }
        nanos[usize::from(on)].push(start.elapsed().as_nanos());
    }
    resident.unload(lane.as_mut());
    let [off, on] = nanos.map(|mut nanos| {
        nanos.sort_unstable();
        let quarter = &nanos[..nanos.len() / 4];
        quarter.iter().sum::<u128>() as f64 / quarter.len() as f64 / f64::from(TOKENS) / 1e3
    });
    println!("off {off:.1} us a token, on {on:.1} us a token: {:+.2} %", 100.0 * (on / off - 1.0));
    Ok(())
}
