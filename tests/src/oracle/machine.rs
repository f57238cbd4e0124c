//! Executes a filter, from the kernel's documentation of classic BPF alone (`Documentation/networking/filter.rst`).
//!
//! ```text
//! run(bytes, token of x86_64, 41, [38, …])  →  the word of the `ret` that is reached
//! ```

/// What a filter returns for a call on a machine of that byte order; `None` where it is no filter that the kernel would take.
pub fn run(program: &[u8], big_endian: bool, token: u32, nr: u32, args: &[u64; 6]) -> Option<u32> {
    let word = |bytes: [u8; 4]| if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
    let mut data = Vec::with_capacity(64);
    for value in [nr, token] {
        data.extend(if big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }
    data.extend([0; 8]);
    for arg in args {
        data.extend(if big_endian { arg.to_be_bytes() } else { arg.to_le_bytes() });
    }

    let (mut a, mut x, mut memory, mut at) = (0u32, 0u32, [0u32; 16], 0usize);
    loop {
        let insn = program.get(at * 8..at * 8 + 8)?;
        let code =
            if big_endian { u16::from_be_bytes([insn[0], insn[1]]) } else { u16::from_le_bytes([insn[0], insn[1]]) };
        let (jt, jf) = (usize::from(insn[2]), usize::from(insn[3]));
        let k = word([insn[4], insn[5], insn[6], insn[7]]);
        at += 1;
        let source = if code & 8 == 8 { x } else { k };
        match code & 7 {
            // LD, in words of 32 bits: absolute, immediate, from memory.
            0 => match code {
                0x20 if k.is_multiple_of(4) => {
                    let at = data.get(k as usize..k as usize + 4)?;
                    a = word([at[0], at[1], at[2], at[3]]);
                }
                0x00 => a = k,
                0x60 => a = *memory.get(k as usize)?,
                _ => return None,
            },
            // LDX
            1 => match code {
                0x01 => x = k,
                0x61 => x = *memory.get(k as usize)?,
                _ => return None,
            },
            // ST, STX
            2 => *memory.get_mut(k as usize)? = a,
            3 => *memory.get_mut(k as usize)? = x,
            // ALU
            4 => match code & 0xf0 {
                0x00 => a = a.wrapping_add(source),
                0x10 => a = a.wrapping_sub(source),
                0x20 => a = a.wrapping_mul(source),
                0x40 => a |= source,
                0x50 => a &= source,
                0x60 => a = a.checked_shl(source)?,
                0x70 => a = a.checked_shr(source)?,
                0x80 => a = a.wrapping_neg(),
                0xa0 => a ^= source,
                _ => return None,
            },
            // JMP: always, equal, greater, greater or equal, any bit.
            5 => {
                let holds = match code & 0xf0 {
                    0x00 => {
                        at = at.checked_add(k as usize)?;
                        continue;
                    }
                    0x10 => a == source,
                    0x20 => a > source,
                    0x30 => a >= source,
                    0x40 => a & source != 0,
                    _ => return None,
                };
                at += if holds { jt } else { jf };
            }
            // RET
            6 => return Some(if code == 0x16 { a } else { k }),
            // MISC: TAX, TXA
            _ => match code {
                0x07 => x = a,
                0x87 => a = x,
                _ => return None,
            },
        }
    }
}
