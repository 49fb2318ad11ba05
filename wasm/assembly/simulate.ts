/** The interpreter of seccomp programs, with the kernel's answers where registers misbehave. */

import { codeAt, jumpFalseAt, jumpTrueAt, operandAt } from "./check-program";

/** Instructions that the last `run` executed, the return included. */
export let executed: u32 = 0;

/**
 * @param program checked
 * @param data a `struct seccomp_data`, in words of this machine's byte order
 * @param scratch sixteen words of memory
 */
export function run(program: usize, data: usize, scratch: usize): u32 {
  let a: u32 = 0;
  let x: u32 = 0;
  let pc: u32 = 0;
  let count: u32 = 0;
  while (true) {
    const code = codeAt(program, pc);
    const k = operandAt(program, pc);
    const operand = code & 8 ? x : k;
    let holds = false;
    count++;
    switch (code) {
      case 0x20:
        a = load<u32>(data + k);
        break;
      case 0x06:
      case 0x16:
        executed = count;
        return code == 0x06 ? k : a;
      case 0x05:
        pc += k;
        break;
      case 0x15:
      case 0x1d:
        holds = a == operand;
        break;
      case 0x25:
      case 0x2d:
        holds = a > operand;
        break;
      case 0x35:
      case 0x3d:
        holds = a >= operand;
        break;
      case 0x45:
      case 0x4d:
        holds = (a & operand) != 0;
        break;
      case 0x80:
        a = 64;
        break;
      case 0x81:
        x = 64;
        break;
      case 0x00:
        a = k;
        break;
      case 0x01:
        x = k;
        break;
      case 0x60:
        a = load<u32>(scratch + (k << 2));
        break;
      case 0x61:
        x = load<u32>(scratch + (k << 2));
        break;
      case 0x02:
        store<u32>(scratch + (k << 2), a);
        break;
      case 0x03:
        store<u32>(scratch + (k << 2), x);
        break;
      case 0x07:
        x = a;
        break;
      case 0x87:
        a = x;
        break;
      case 0x84:
        a = 0 - a;
        break;
      default:
        if (code == 0x3c && x == 0) {
          executed = count;
          return 0;
        }
        a = arithmetic(code, a, operand);
    }
    if ((code & 7) == 5 && code != 0x05) pc += holds ? jumpTrueAt(program, pc) : jumpFalseAt(program, pc);
    pc++;
  }
}

function arithmetic(code: u16, a: u32, operand: u32): u32 {
  switch (code & ~8) {
    case 0x04:
      return a + operand;
    case 0x14:
      return a - operand;
    case 0x24:
      return a * operand;
    case 0x34:
      return a / operand;
    case 0x44:
      return a | operand;
    case 0x54:
      return a & operand;
    case 0x64:
      return a << (operand & 31);
    case 0x74:
      return a >> (operand & 31);
    default:
      return a ^ operand;
  }
}
