// A store into an object of the module cannot be optimised away, so what it names is reachable until then.
const holder: { object: unknown } = { object: undefined };

/**
 * Hold an object until here: optimised code gives a buffer up as soon as nothing reads it any more, although a
 * structure in a system call still holds its address.
 */
export function keepAlive(object: unknown): void {
  holder.object = object;
  holder.object = undefined;
}
