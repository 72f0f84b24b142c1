/*
 * A flow dissector by hand, for the protocols of cpr-ir's flow-dissector.json: what the bench compares with.
 * clang -O2 -target bpf; MAY_GOTO and LEAST_0 are what the verifier needs to accept its loop. The same keys as the shipped graph, byte for byte.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

/* struct __sk_buff as far as a flow dissector sees it */
struct skb {
	u32 before[19];
	u32 data;
	u32 data_end;
	u32 between[15];
	struct keys *keys;
};

/* struct bpf_flow_keys */
struct keys {
	u16 nhoff, thoff, addr_proto;
	u8 is_frag, is_first_frag, is_encap, ip_proto;
	u16 n_proto;
	u16 sport, dport;
	union {
		u32 ipv4[2];
		struct { u64 src[2], dst[2]; } ipv6;
	};
	u32 flags, flow_label;
};

#define be16(x) __builtin_bswap16(x)
#define be32(x) __builtin_bswap32(x)
#define OK 0
#define DROP 2
#define PARSE_1ST_FRAG 1
#define STOP_AT_FLOW_LABEL 2
#define STOP_AT_ENCAP 4
#define STOP_BEFORE_ENCAP 8
#define MAX_HDRS 15

#define HEADER(type, name, off, size)                        \
	if ((off) > 0xffff - (size))                         \
		return DROP;                                 \
	type *name = (type *)(data + (off));                 \
	if ((u8 *)name + (size) > end)                       \
		return DROP

/* What bounds a loop for the verifier: this clang does not know it. */
#define MAY_GOTO(label)                                                        \
	asm volatile goto("1: .byte 0xe5, 0\n"                                \
			  ".long ((%l[" #label "] - 1b - 8) / 8) & 0xffff\n"  \
			  ".short 0"                                          \
			  : : : : label)

/* The verifier forgets the least value of a number, by which it tells rounds apart. */
#define LEAST_0(x, mask) asm volatile("%0 &= " #mask : "+r"(x))

static __attribute__((always_inline)) u16 clamped(u64 off, u8 *data, u8 *end)
{
	u64 left = end - data;

	return off > left ? left : off;
}

/* Ports, where four bytes are there. */
static __attribute__((always_inline)) int ports(struct keys *k, u8 *data, u8 *end, u64 off, u8 proto)
{
	u64 more = proto == 51 ? 4 : 0;

	switch (proto) {
	case 6: case 17: case 33: case 50: case 51: case 132: case 136:
		break;
	default:
		return OK;
	}
	if (off > 0xffff - 8 || k->is_frag)
		return OK;
	u8 *p = data + off + more;
	if (p + 4 > end)
		return OK;
	*(u32 *)&k->sport = *(u32 *)p;
	return OK;
}

__attribute__((section("flow_dissector"), used)) int dissect(struct skb *skb)
{
	u8 *data = (u8 *)(u64)skb->data;
	u8 *end = (u8 *)(u64)skb->data_end;
	struct keys *k = skb->keys;
	u32 flags = k->flags;
	u16 proto = be16(k->n_proto);
	u64 off = k->nhoff;
	u8 ip = 0;
	int in_ip = 0;

	/* numbers that live around the loop start as numbers the verifier does not know */
	u64 n = *(volatile u8 *)&k->is_encap;
	off += *(volatile u64 *)&k->ipv6.src[0];
	ip = n;
	in_ip = n;

	for (; n <= MAX_HDRS; n++) {
		LEAST_0(off, 0xfffff);
		LEAST_0(n, 0x1f);
		MAY_GOTO(out);
		if (!in_ip) {
			switch (proto) {
			case 0x0800: {
				HEADER(u8, h, off, 20);
				u64 ihl = (h[0] & 15) * 4;
				if (ihl < 20)
					return DROP;
				u16 frag = be16(*(u16 *)(h + 6));
				off += ihl;
				if (off > (u64)(end - data))
					off = end - data;
				k->thoff = off;
				ip = h[9];
				k->ip_proto = ip;
				k->addr_proto = 0x0800;
				k->ipv4[0] = *(u32 *)(h + 12);
				k->ipv4[1] = *(u32 *)(h + 16);
				if (frag & 0x3fff) {
					k->is_frag = 1;
					if (frag & 0x1fff)
						return OK;
					k->is_first_frag = 1;
					if (!(flags & PARSE_1ST_FRAG))
						return OK;
				}
				break;
			}
			case 0x86dd: {
				HEADER(u8, h, off, 40);
				u32 label = *(u32 *)h & be32(0xfffff);
				off += 40;
				k->thoff = off;
				ip = h[6];
				k->ip_proto = ip;
				k->addr_proto = 0x86dd;
				k->ipv6.src[0] = *(u64 *)(h + 8);
				k->ipv6.src[1] = *(u64 *)(h + 16);
				k->ipv6.dst[0] = *(u64 *)(h + 24);
				k->ipv6.dst[1] = *(u64 *)(h + 32);
				if (label) {
					k->flow_label = label;
					if (flags & STOP_AT_FLOW_LABEL)
						return OK;
				}
				break;
			}
			case 0x8100:
			case 0x88a8: {
				HEADER(u16, h, off, 4);
				proto = be16(h[1]);
				k->n_proto = h[1];
				off += 4;
				k->nhoff = off;
				k->thoff = off;
				continue;
			}
			case 0x8864: {
				HEADER(u8, h, off, 8);
				if (h[0] != 0x11 || h[1] != 0)
					return DROP;
				off += 8;
				k->thoff = off;
				u16 ppp = be16(*(u16 *)(h + 6));
				switch (ppp) {
				case 0x21: proto = 0x0800; break;
				case 0x57: proto = 0x86dd; break;
				case 0x281: proto = 0x8847; break;
				case 0x283: proto = 0x8848; break;
				default: return (ppp & 0x101) == 1 ? OK : DROP;
				}
				k->n_proto = be16(proto);
				continue;
			}
			case 0x88ca: {
				HEADER(u8, h, off, 16);
				(void)h;
				return OK;
			}
			case 0x8847:
			case 0x8848:
				k->thoff = clamped(off + 4, data, end);
				return OK;
			case 0x0806:
			case 0x8035:
			case 0x8902:
				return OK;
			case 0x8906: {
				HEADER(u8, h, off, 38);
				(void)h;
				k->thoff = off + 38;
				return OK;
			}
			case 0x88f7: {
				HEADER(u8, h, off, 34);
				(void)h;
				k->thoff = off + 34;
				return OK;
			}
			case 0x88fb:
			case 0x892f: {
				HEADER(u16, h, off, 6);
				proto = be16(h[2]);
				k->n_proto = h[2];
				off += 6;
				k->thoff = off;
				continue;
			}
			case 0x4305: {
				HEADER(u8, h, off, 24);
				if (h[1] != 15 || h[0] != 0x40)
					return DROP;
				proto = be16(*(u16 *)(h + 22));
				k->n_proto = *(u16 *)(h + 22);
				off += 24;
				k->thoff = off;
				k->is_encap = 1;
				if (flags & STOP_AT_ENCAP)
					return OK;
				continue;
			}
			default:
				return DROP;
			}
		}
		in_ip = 0;
		switch (ip) {
		case 47: {
			if (flags & STOP_BEFORE_ENCAP)
				return OK;
			HEADER(u8, h, off, 4);
			u16 gre = be16(*(u16 *)h);
			if ((gre & 0x4007) > 1)
				return OK;
			u16 next = be16(*(u16 *)(h + 2));
			k->n_proto = *(u16 *)(h + 2);
			u64 size = 4;
			if (gre & 0x8000)
				size += 4;
			if (gre & 7) {
				if (next != 0x880b || !(gre & 0x2000))
					return OK;
			}
			if (gre & 0x2000) {
				size += 4;
				if (off + size > (u64)(end - data))
					return DROP;
			}
			if (gre & 0x1000)
				size += 4;
			if ((gre & 7) && (gre & 0x80))
				size += 4;
			off += size;
			if (off > (u64)(end - data))
				off = end - data;
			if (gre & 7) {
				HEADER(u8, p, off, 4);
				u16 ppp = be16(*(u16 *)(p + 2));
				off += 4;
				next = 0x880b;
				if (ppp == 0x21)
					next = 0x0800;
				else if (ppp == 0x57)
					next = 0x86dd;
				k->n_proto = be16(next);
			} else if (next == 0x6558) {
				HEADER(u8, e, off, 14);
				next = be16(*(u16 *)(e + 12));
				k->n_proto = *(u16 *)(e + 12);
				off += 14;
			}
			proto = next;
			k->thoff = off;
			k->is_encap = 1;
			if (flags & STOP_AT_ENCAP)
				return OK;
			continue;
		}
		case 4:
		case 41:
			if (flags & STOP_BEFORE_ENCAP)
				return OK;
			proto = ip == 4 ? 0x0800 : 0x86dd;
			k->n_proto = be16(proto);
			k->is_encap = 1;
			if (flags & STOP_AT_ENCAP)
				return OK;
			continue;
		case 137:
			proto = 0x8847;
			k->n_proto = be16(0x8847);
			continue;
		case 0:
		case 43:
		case 60: {
			if (proto != 0x86dd)
				return OK;
			HEADER(u8, h, off, 2);
			u64 size = h[1] * 8 + 8;
			ip = h[0];
			off += size;
			if (off > (u64)(end - data))
				off = end - data;
			k->thoff = off;
			k->ip_proto = ip;
			if (n == MAX_HDRS)
				return ports(k, data, end, off, ip);
			in_ip = 1;
			continue;
		}
		case 44: {
			if (proto != 0x86dd)
				return OK;
			HEADER(u8, h, off, 8);
			ip = h[0];
			off += 8;
			k->thoff = off;
			k->ip_proto = ip;
			k->is_frag = 1;
			if (be16(*(u16 *)(h + 2)) & 0xfff8)
				return OK;
			k->is_first_frag = 1;
			if (!(flags & PARSE_1ST_FRAG))
				return OK;
			in_ip = 1;
			continue;
		}
		default:
			return ports(k, data, end, off, ip);
		}
	}
out:
	return OK;
}

char _license[] __attribute__((section("license"), used)) = "GPL";
