use super::model::{Model, Random};
use super::tiles::{Configured, Hardware, Tiles};
use super::*;
use crate::cpu::panel::{self, Exact, PAD_COLS, PANEL_GROUPS, padded};
use crate::cpu::portable::Portable;
use crate::cpu::ternary::{SCALE_COLS, X_SCALE_COLS};
use crate::cpu::{GROUP_ROWS, Isa, Outputs};

/// A panel, activations and their scales; what lies in padding of activations is garbage, as it may be.
struct Case {
    panel: Vec<u8>,
    cols: usize,
    first_group: usize,
    groups: usize,
    width: usize,
    x: Vec<i8>,
    stride: usize,
    tokens: usize,
    row_scales: Vec<f32>,
    block_scales: Vec<f32>,
    x_scales: Vec<f32>,
    x_sums: Vec<i32>,
    /// Scales and sums for each 64 columns.
    block_x_scales: Vec<f32>,
    block_x_sums: Vec<i32>,
}

fn case(cols: usize, groups: usize, tokens: usize, seed: u64) -> Case {
    let mut random = Random(seed);
    let first_group = seed as usize % 3;
    let mut panel = vec![0; groups * padded(cols) * GROUP_ROWS];
    for group in panel.chunks_exact_mut(padded(cols) * GROUP_ROWS) {
        group[..cols * GROUP_ROWS].fill_with(|| random.below(3) as u8);
    }
    let stride = cols + 16 * (seed as usize % 2);
    let mut x: Vec<i8> = (0..tokens * stride + PAD_COLS).map(|_| random.below(255) as i8).collect();
    let (mut x_sums, mut block_x_sums) = (Vec::new(), Vec::new());
    for row in x[..tokens * stride].chunks_exact_mut(stride) {
        row.iter_mut().for_each(|x| *x = (*x).max(-127));
        row[cols..].fill(0);
        let row = row[..cols].iter().map(|&x| i32::from(x)).collect::<Vec<_>>();
        x_sums.push(row.iter().sum());
        block_x_sums.extend(row.chunks(X_SCALE_COLS).map(|x| x.iter().sum::<i32>()));
    }
    let all_groups = first_group + groups;
    let mut scales = |n: usize| -> Vec<f32> { (0..n).map(|_| random.below(1000) as f32 / 777.0).collect() };
    Case {
        panel,
        cols,
        first_group,
        groups,
        width: all_groups * GROUP_ROWS - seed as usize % 16,
        stride,
        tokens,
        row_scales: scales(all_groups * GROUP_ROWS),
        block_scales: scales(all_groups * GROUP_ROWS * cols.div_ceil(SCALE_COLS)),
        x_scales: scales(tokens),
        block_x_scales: scales(tokens * cols.div_ceil(X_SCALE_COLS)),
        x,
        x_sums,
        block_x_sums,
    }
}

/// Bits of all outputs after `job` has added to ones.
fn outputs(case: &Case, job: impl FnOnce(&Outputs<'_>)) -> Vec<u32> {
    let mut values = vec![1.0f32; case.tokens * case.width];
    // SAFETY: the values outlive the outputs and are not touched before `job` ends.
    let out = unsafe { Outputs::new(values.as_mut_ptr(), values.len(), case.width, 0.75, true) };
    job(&out);
    values.iter().map(|x| x.to_bits()).collect()
}

fn exact_job<'a>(case: &'a Case, out: &'a Outputs<'a>) -> Exact<'a> {
    Exact {
        panel: &case.panel,
        cols: case.cols,
        first_group: case.first_group,
        groups: case.groups,
        row_scales: &case.row_scales,
        x: &case.x,
        stride: case.stride,
        x_scales: &case.x_scales,
        x_sums: &case.x_sums,
        tokens: case.tokens,
        out,
    }
}

fn scaled_job<'a>(case: &'a Case, blocks: bool, out: &'a Outputs<'a>) -> Scaled<'a> {
    Scaled {
        panel: &case.panel,
        cols: case.cols,
        first_group: case.first_group,
        groups: case.groups,
        row_scales: if blocks { &[] } else { &case.row_scales },
        block_scales: if blocks { &case.block_scales } else { &[] },
        x: &case.x,
        stride: case.stride,
        x_scales: &case.block_x_scales,
        x_sums: &case.block_x_sums,
        tokens: case.tokens,
        out,
    }
}

/// Odd sizes of everything: `(columns, groups, tokens)`.
fn shapes() -> impl Iterator<Item = (usize, usize, usize)> {
    let tokens = (16..=70).step_by(3).chain([16, 17, 31, 32, 33, 48, 64]);
    let columns = [4, 16, 48, 64, 80, 128, 256, 272, 576];
    tokens.enumerate().map(move |(i, tokens)| (columns[i % columns.len()], 1 + i % PANEL_GROUPS, tokens))
}

#[test]
fn the_loops_by_blocks_on_a_model_of_the_registers_give_the_bits_of_the_plain_kernels() {
    for (seed, (cols, groups, tokens)) in shapes().enumerate() {
        let case = case(cols, groups, tokens, seed as u64);
        let at = format!("{cols} columns, {groups} groups, {tokens} tokens");
        for blocks in [false, true] {
            let expected =
                outputs(&case, |out| panel::scaled(Isa::portable(), &mut scaled_job(&case, blocks, out)));
            // SAFETY: the job is checked by the same call above; the model needs no instruction set.
            let found = outputs(&case, |out| unsafe {
                scaled::scaled::<Model, Portable>(&mut Model::new(), &scaled_job(&case, blocks, out));
            });
            assert_eq!(found, expected, "scaled, blocks {blocks}: {at}");
        }
    }
}

#[test]
fn the_registers_of_this_machine_do_what_the_model_does() {
    if Isa::amx().is_none() {
        eprintln!("no AMX here (present {}, granted {}): nothing to compare", present(), granted());
        return;
    }
    let mut random = Random(3);
    let x: Vec<i8> = (0..32 * 80).map(|_| random.below(255) as i8).collect();
    let codes: Vec<u8> = (0..2048).map(|_| random.below(256) as u8).collect();
    let mut found = [[0i32; 256]; 4];
    let mut expected = found;
    /// Two steps into all four tiles of sums.
    unsafe fn all(tiles: &mut impl Tiles, x: &[i8], codes: &[u8], sums: &mut [[i32; 256]; 4]) {
        // SAFETY: the caller promises rows, lines and configured tiles.
        unsafe {
            tiles.zero::<0>();
            tiles.zero::<1>();
            tiles.zero::<2>();
            tiles.zero::<3>();
            for shift in [0, 16] {
                tiles.load_a::<0>(x.as_ptr().add(shift), 80);
                tiles.load_a::<1>(x.as_ptr().add(16 * 80 + shift), 80);
                tiles.load_b::<0>(codes.as_ptr());
                tiles.load_b::<1>(codes.as_ptr().add(1024));
                tiles.dot::<0, 0>();
                tiles.dot::<0, 1>();
                tiles.dot::<1, 0>();
                tiles.dot::<1, 1>();
            }
            tiles.store::<0>(sums[0].as_mut_ptr());
            tiles.store::<1>(sums[1].as_mut_ptr());
            tiles.store::<2>(sums[2].as_mut_ptr());
            tiles.store::<3>(sums[3].as_mut_ptr());
            tiles.load::<2>(sums[1].as_ptr());
            tiles.dot::<1, 0>();
            tiles.store::<2>(sums[2].as_mut_ptr());
        }
    }
    // SAFETY: AMX is granted, as just asked; the slices hold 32 rows of 80 and 32 lines.
    unsafe {
        let _configured = Configured::new();
        all(&mut Hardware, &x, &codes, &mut found);
        all(&mut Model::new(), &x, &codes, &mut expected);
    }
    assert_eq!(found, expected);
}

#[test]
fn panels_have_the_same_bits_on_every_instruction_set_of_this_machine() {
    for isa in Isa::available() {
        for (seed, (cols, groups, tokens)) in shapes().chain([(64, 3, 1), (80, 4, 13)]).enumerate() {
            let case = case(cols, groups, tokens, seed as u64);
            let at = format!("{} {cols} columns, {groups} groups, {tokens} tokens", isa.name());
            let exact = |isa| outputs(&case, |out| panel::exact(isa, &mut exact_job(&case, out)));
            assert_eq!(exact(isa), exact(Isa::portable()), "{at}");
        }
    }
}
