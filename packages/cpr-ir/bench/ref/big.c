/* The big parser by hand in C, for the bench only: the graph of programs/big.json with the same checks and the same
 * metadata. Packets come as (address, length) pairs; every result is folded into one number that the bench checks. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FRAME 200
#define FRAMES 5
enum { STOP_OKAY = -4, LENGTH = -13, UNKNOWN = -14, ENCAP = -15, TLV_LENGTH = -17, MAX_NODES = -23 };

struct parse {
  const uint8_t *base, *at, *end;
  uint8_t *frame;
  int frame_number, encaps, nodes, vlan;
};

static inline uint16_t be16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return __builtin_bswap16(v); }
static inline uint32_t be32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return __builtin_bswap32(v); }
static inline void put16(uint8_t *p, uint16_t v) { memcpy(p, &v, 2); }
static inline void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }

#define ENTER(min) do { if (s->nodes++ == 255) return MAX_NODES; if (s->end - s->at < (min)) return LENGTH; } while (0)
#define OFFSET(o) put16(s->frame + (o), (uint16_t)(s->at - s->base))

static inline int encap(struct parse *s) {
  if (++s->encaps > 4) return ENCAP;
  if (s->frame_number + 1 < FRAMES) { s->frame_number++; s->frame += FRAME; }
  s->vlan = 0;
  return 0;
}

static int ethertype(struct parse *s, uint16_t proto);
static int ipv4(struct parse *s);
static int ipv6(struct parse *s);

static int tcp(struct parse *s) {
  ENTER(20);
  int h = (s->at[12] >> 4) * 4;
  if (h < 20 || h > s->end - s->at) return LENGTH;
  OFFSET(128);
  memcpy(s->frame + 156, s->at, 4);
  const uint8_t *o = s->at + 20, *end = s->at + h;
  while (o < end) {
    if (*o == 0) break;
    if (*o == 1) { o++; continue; }
    int left = (int)(end - o);
    if (left < 2) return TLV_LENGTH;
    int n = o[1];
    if (n < 2 || n > left) return TLV_LENGTH;
    switch (*o) {
    case 2: if (n >= 4) put16(s->frame + 16, be16(o + 2)); break;
    case 3: if (n >= 3) s->frame[18] = o[2]; break;
    case 5:
      if (n == 10 || n == 18 || n == 26 || n == 34)
        for (int i = 2, d = 28; i < n; i += 4, d += 4) put32(s->frame + d, be32(o + i));
      break;
    case 8: if (n >= 10) { put32(s->frame + 20, be32(o + 2)); put32(s->frame + 24, be32(o + 6)); } break;
    }
    o += n;
  }
  return STOP_OKAY;
}

static int ports(struct parse *s) {
  ENTER(4);
  OFFSET(128);
  memcpy(s->frame + 156, s->at, 4);
  return STOP_OKAY;
}

static int icmp(struct parse *s) {
  ENTER(8);
  uint8_t type = s->at[0];
  s->frame[160] = type;
  s->frame[161] = s->at[1];
  put16(s->frame + 162, 0);
  if (type == 0 || type == 8 || type == 13 || type == 14 || type == 128 || type == 129) {
    memcpy(s->frame + 162, s->at + 4, 2);
    if (be16(s->at + 4) == 0) put16(s->frame + 162, 1);
  }
  return STOP_OKAY;
}

static int mpls(struct parse *s) {
  ENTER(8);
  put32(s->frame + 60, be32(s->at));
  if ((be32(s->at) & 0xfffff000) == 0x7000) put32(s->frame + 152, __builtin_bswap32(be32(s->at + 4) & 0xfffff000));
  return STOP_OKAY;
}

static int arp(struct parse *s) {
  ENTER(28);
  if (be32(s->at) != 0x00010800 || be16(s->at + 4) != 0x0604) return LENGTH;
  uint16_t op = be16(s->at + 6);
  if (op != 1 && op != 2) return LENGTH;
  s->frame[72] = s->at[7];
  memcpy(s->frame + 73, s->at + 8, 6);
  memcpy(s->frame + 64, s->at + 14, 4);
  memcpy(s->frame + 79, s->at + 18, 6);
  memcpy(s->frame + 68, s->at + 24, 4);
  return STOP_OKAY;
}

static int ipv4_check(struct parse *s) {
  ENTER(20);
  int h = (s->at[0] & 15) * 4;
  if (h < 20 || h > s->end - s->at || s->at[0] >> 4 != 4) return LENGTH;
  return ipv4(s);
}

static int ipv6_check(struct parse *s) {
  ENTER(40);
  if (s->at[0] >> 4 != 6) return LENGTH;
  return ipv6(s);
}

static int ppp(struct parse *s, int at) {
  uint16_t proto = be16(s->at + at);
  if (proto == 0x21) { s->at += at + 2; return ipv4_check(s); }
  if (proto == 0x57) { s->at += at + 2; return ipv6_check(s); }
  return UNKNOWN;
}

static int gre(struct parse *s) {
  int r;
  ENTER(4);
  uint16_t flags = be16(s->at);
  if ((flags & 7) > 1) return UNKNOWN;
  ENTER(4);
  const uint8_t *f = s->at + 4;
  if ((flags & 7) == 0) {
    int h = 4 + (flags & 0x8000 ? 4 : 0) + (flags & 0x2000 ? 4 : 0) + (flags & 0x1000 ? 4 : 0);
    if (h > s->end - s->at || flags & 0x4ff8) return LENGTH;
    memcpy(s->frame + 88, s->at, 2);
    if (flags & 0x8000) { memcpy(s->frame + 92, f, 2); f += 4; }
    if (flags & 0x2000) { memcpy(s->frame + 96, f, 4); memcpy(s->frame + 152, f, 4); f += 4; }
    if (flags & 0x1000) { memcpy(s->frame + 100, f, 4); f += 4; }
    uint16_t proto = be16(s->at + 2);
    if ((r = encap(s))) return r;
    s->at += h;
    if (proto == 0x0800) return ipv4_check(s);
    if (proto == 0x86dd) return ipv6_check(s);
    if (proto != 0x6558) return UNKNOWN;
    ENTER(14);
    OFFSET(124);
    memcpy(s->frame + 136, s->at + 12, 2);
    memcpy(s->frame + 2, s->at, 12);
    s->at += 14;
    return ethertype(s, be16(s->at - 2));
  }
  int h = 4 + (flags & 0x8000 ? 4 : 0) + (flags & 0x2000 ? 4 : 0) + (flags & 0x1000 ? 4 : 0) + (flags & 0x80 ? 4 : 0);
  if (h > s->end - s->at || (flags & 0x6f78) != 0x2000 || be16(s->at + 2) != 0x880b) return LENGTH;
  memcpy(s->frame + 108, s->at, 2);
  if (flags & 0x8000) f += 4;
  memcpy(s->frame + 152, f, 4);
  memcpy(s->frame + 112, f, 4);
  f += 4;
  if (flags & 0x1000) { memcpy(s->frame + 116, f, 4); f += 4; }
  if (flags & 0x80) memcpy(s->frame + 120, f, 4);
  if ((r = encap(s))) return r;
  s->at += h;
  ENTER(4);
  return ppp(s, 2);
}

static int ip_proto(struct parse *s, uint8_t proto, int v6) {
  int r;
  for (;;) switch (proto) {
  case 6: return tcp(s);
  case 17: case 33: case 132: return ports(s);
  case 47: return gre(s);
  case 2: ENTER(8); return STOP_OKAY;
  case 137: return mpls(s);
  case 1: return v6 ? UNKNOWN : icmp(s);
  case 58: return v6 ? icmp(s) : UNKNOWN;
  case 4: ENTER(20); if ((r = encap(s))) return r; return ipv4(s);
  case 41: ENTER(40); if ((r = encap(s))) return r; return ipv6(s);
  case 0: case 43: case 60: {
    if (!v6) return UNKNOWN;
    ENTER(2);
    int h = (s->at[1] + 1) * 8;
    if (h > s->end - s->at) return LENGTH;
    proto = s->frame[138] = s->at[0];
    s->at += h;
    break;
  }
  case 44: {
    if (!v6) return UNKNOWN;
    ENTER(8);
    proto = s->frame[138] = s->at[0];
    int later = (be16(s->at + 2) & 0xfff8) != 0;
    s->frame[1] = (s->frame[1] & ~3) | 1 | (later ? 0 : 2);
    if (later) return STOP_OKAY;
    s->at += 8;
    break;
  }
  default: return UNKNOWN;
  }
}

static int ipv4(struct parse *s) {
  ENTER(20);
  int h = (s->at[0] & 15) * 4;
  if (h < 20 || h > s->end - s->at) return LENGTH;
  OFFSET(126);
  s->frame[0] = 1;
  s->frame[138] = s->at[9];
  memcpy(s->frame + 164, s->at + 12, 8);
  uint16_t frag = be16(s->at + 6);
  if (frag & 0x3fff) {
    s->frame[1] = (s->frame[1] & ~3) | 1 | (frag & 0x1fff ? 0 : 2);
    if (frag & 0x1fff) return STOP_OKAY;
  }
  uint8_t proto = s->at[9];
  s->at += h;
  return ip_proto(s, proto, 0);
}

static int ipv6(struct parse *s) {
  ENTER(40);
  OFFSET(126);
  s->frame[0] = 2;
  uint8_t proto = s->frame[138] = s->at[6];
  put32(s->frame + 140, be32(s->at) & 0xfffff);
  memcpy(s->frame + 164, s->at + 8, 32);
  s->at += 40;
  return ip_proto(s, proto, 1);
}

static int ethertype(struct parse *s, uint16_t proto) {
  int r;
  for (;;) switch (proto) {
  case 0x0800: return ipv4_check(s);
  case 0x86dd: return ipv6_check(s);
  case 0x8100: case 0x88a8: {
    ENTER(4);
    int slot = s->vlan < 2 ? s->vlan++ : 1;
    uint8_t *v = s->frame + 144 + 4 * slot;
    uint16_t tci = be16(s->at), old;
    memcpy(&old, v, 2);
    put16(v, (old & 0x1000) | (tci & 0xfff) | (tci & 0xe000));
    put16(v + 2, proto);
    s->frame[1] = (s->frame[1] & ~12) | (s->vlan << 2);
    proto = be16(s->at + 2);
    s->at += 4;
    break;
  }
  case 0x0806: case 0x8035: return arp(s);
  case 0x8847: case 0x8848: return mpls(s);
  case 0x8864: ENTER(8); return ppp(s, 6);
  case 0x88ca:
    ENTER(16);
    s->frame[0] = 3;
    if ((be32(s->at) & 0x0e080000) == 0x0e080000) put32(s->frame + 164, 0);
    else memcpy(s->frame + 164, s->at + 12, 4);
    return STOP_OKAY;
  case 0x8906: ENTER(38); return STOP_OKAY;
  case 0x4305:
    ENTER(24);
    if (s->at[1] != 15 || s->at[0] != 0x40) return LENGTH;
    proto = be16(s->at + 22);
    if ((r = encap(s))) return r;
    s->at += 24;
    break;
  default: return UNKNOWN;
  }
}

static int big(struct parse *s) {
  ENTER(14);
  OFFSET(124);
  memcpy(s->frame + 136, s->at + 12, 2);
  memcpy(s->frame + 2, s->at, 12);
  uint16_t proto = be16(s->at + 12);
  s->at += 14;
  return ethertype(s, proto);
}

/* stdin: u32 count, then per packet u32 length and bytes; then lines "n": n rounds, answered by "ns checksum". */
int main(void) {
  uint32_t count;
  if (fread(&count, 4, 1, stdin) != 1) return 1;
  const uint8_t **packets = malloc(count * sizeof *packets);
  uint32_t *lengths = malloc(count * sizeof *lengths);
  for (uint32_t i = 0; i < count; i++) {
    if (fread(&lengths[i], 4, 1, stdin) != 1) return 1;
    uint8_t *p = malloc(lengths[i] + 64);
    if (fread(p, 1, lengths[i], stdin) != lengths[i]) return 1;
    packets[i] = p;
  }
  uint8_t *metadata = calloc(count, FRAME * FRAMES);
  int32_t *codes = malloc(count * 4), *encaps = malloc(count * 4);
  unsigned rounds;
  while (scanf("%u", &rounds) == 1) {
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (unsigned n = 0; n < rounds; n++)
      for (uint32_t i = 0; i < count; i++) {
        struct parse s = { packets[i], packets[i], packets[i] + lengths[i], metadata + (size_t)i * FRAME * FRAMES, 0, 0, 0, 0 };
        codes[i] = big(&s);
        encaps[i] = s.encaps;
        __asm__ volatile("" ::: "memory");
      }
    clock_gettime(CLOCK_MONOTONIC, &b);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) sum = sum * 31 + (uint32_t)codes[i] * 7 + (uint32_t)encaps[i];
    for (size_t i = 0; i < (size_t)count * FRAME * FRAMES; i++) sum = sum * 31 + metadata[i];
    printf("%lld %u\n", (b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec, sum);
    fflush(stdout);
  }
  return 0;
}
