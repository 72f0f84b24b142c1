// skbuff's own host module: what the typed face calls.
export { blockGet, blockPut, blockRefs, heapBlocks, heapInit, heapUsed, kfree, kmalloc } from "./alloc";
export { skbPull, skbPush, skbPut, skbReserve, skbTrim } from "./geometry";
export {
  pskbMayPull,
  pskbPullTail,
  pskbTrim,
  skbCopyBits,
  skbEnsureWritable,
  skbHeaderPointer,
  skbLinearize,
} from "./linear";
export { skbPartialCsumSet } from "./partial-csum";
export {
  allocSkb,
  kfreeSkb,
  pskbCopy,
  pskbExpandHead,
  skbAddFrag,
  skbAddFragList,
  skbClone,
  skbCopy,
} from "./skb-alloc";
