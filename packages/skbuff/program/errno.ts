// Errno numbers as Linux has them (asm-generic); functions return them negated.

export const EAGAIN: i32 = 11;
export const ENOMEM: i32 = 12;
export const EFAULT: i32 = 14;
export const EINVAL: i32 = 22;
export const EPROTO: i32 = 71;
