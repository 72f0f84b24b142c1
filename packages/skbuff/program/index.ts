// skbuff's own host module: what the typed face calls.
export { heapBlocks, heapInit, heapPoison, heapUsed, kmalloc } from "./alloc";
export { skbPull, skbPush, skbPut, skbReserve, skbTrim } from "./geometry";
export {
  blockGetChecked as blockGet,
  blockPutChecked as blockPut,
  blockRefsChecked as blockRefs,
  heapCheck,
  heapOwns,
  kfreeChecked as kfree,
} from "./heap-check";
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
