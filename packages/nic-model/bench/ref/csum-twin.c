/*
 * tx_csum and rx_csum once more, in C: what `clang -O2 -target bpf -mcpu=v3` makes of them is the yardstick for the
 * instructions our compiler retires. Same structures, same order of checks, same functions as csum/program.
 * csum_partial is helper 1, as on the NIC model; making a packet linear or private needs the allocator and is
 * helper 100, which no packet of the comparison reaches.
 */
#include "../../../skbuff/netoffload_abi1.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define EINVAL 22
#define EFAULT 14
#define CHECKSUM_NONE 0
#define CHECKSUM_COMPLETE 2
#define SKBFL_SHARED_FRAG 2

#define FIELD(flags, NAME) (((flags) >> NO_SK_BUFF_##NAME##_SHIFT) & NO_SK_BUFF_##NAME##_MASK)

struct skb_frag {
	u32 page;
	u32 offset;
	u32 size;
};

static u32 (*const csum_partial)(u32 ptr, u32 len, u32 sum) = (void *)1;
static int (*const make_writable)(u32 skb, u32 len) = (void *)100;

static struct no_sk_buff *skb_at(u32 address)
{
	return (struct no_sk_buff *)(u64)address;
}

static struct no_skb_shared_info *skb_shinfo(const struct no_sk_buff *skb)
{
	return (struct no_skb_shared_info *)(u64)skb->end;
}

static u32 skb_headlen(const struct no_sk_buff *skb)
{
	return skb->len - skb->data_len;
}

static int skb_cloned(const struct no_sk_buff *skb)
{
	return FIELD(skb->flags, CLONED) && (skb_shinfo(skb)->dataref & 0xffff) != 1;
}

static void set_ip_summed(struct no_sk_buff *skb, u32 value)
{
	skb->flags = (skb->flags & ~NO_SK_BUFF_IP_SUMMED_MASK) | value;
}

/* End-around addition of a piece's sum; a piece that begins at an odd position has its bytes the other way round. */
static u32 add_piece(u32 address, u32 size, u32 skip, u32 pos, u32 sum)
{
	u32 part;

	if (size <= skip)
		return sum;
	part = csum_partial(address + skip, size - skip, 0);
	if (pos & 1)
		part = __builtin_bswap16(part);
	sum += part;
	return (sum & 0xffff) + (sum >> 16);
}

static u32 sum_frags(const struct no_sk_buff *skb, u32 skip, u32 pos, u32 sum)
{
	const struct no_skb_shared_info *shinfo = skb_shinfo(skb);
	const struct skb_frag *frag = (const struct skb_frag *)shinfo->frags;
	u32 i;

	for (i = 0; i < shinfo->nr_frags; i++, frag++) {
		u32 size = frag->size;

		sum = add_piece(frag->page + frag->offset, size, skip, pos, sum);
		if (size > skip)
			pos += size - skip;
		skip = skip > size ? skip - size : 0;
	}
	return sum;
}

static u32 flat_len(const struct no_sk_buff *skb)
{
	u32 len = skb->len;
	u32 member;

	for (member = skb_shinfo(skb)->frag_list; member; member = skb_at(member)->next)
		len -= skb_at(member)->len;
	return len;
}

static u32 sum_flat(const struct no_sk_buff *skb, u32 skip, u32 pos, u32 sum)
{
	u32 headlen = skb_headlen(skb);

	sum = add_piece(skb->data, headlen, skip, pos, sum);
	if (headlen > skip)
		pos += headlen - skip;
	return sum_frags(skb, skip > headlen ? skip - headlen : 0, pos, sum);
}

static u32 sum_list(u32 list, u32 skip, u32 pos, u32 sum)
{
	u32 member, deeper;

	for (member = list; member; member = skb_at(member)->next) {
		const struct no_sk_buff *skb = skb_at(member);
		u32 flat = flat_len(skb);

		sum = sum_flat(skb, skip, pos, sum);
		if (flat > skip)
			pos += flat - skip;
		skip = skip > flat ? skip - flat : 0;
		for (deeper = skb_shinfo(skb)->frag_list; deeper; deeper = skb_at(deeper)->next) {
			const struct no_sk_buff *inner = skb_at(deeper);

			sum = sum_flat(inner, skip, pos, sum);
			if (inner->len > skip)
				pos += inner->len - skip;
			skip = skip > inner->len ? skip - inner->len : 0;
		}
	}
	return sum;
}

static u32 sum_nonlinear(const struct no_sk_buff *skb, u32 off)
{
	u32 headlen = skb_headlen(skb);
	u32 sum = 0, pos = 0, list, in_frags;

	if (off < headlen) {
		sum = csum_partial(skb->data + off, headlen - off, 0);
		pos = headlen - off;
		off = 0;
	} else {
		off -= headlen;
	}
	sum = sum_frags(skb, off, pos, sum);
	list = skb_shinfo(skb)->frag_list;
	if (!list)
		return sum;
	in_frags = flat_len(skb) - headlen;
	if (in_frags > off) {
		pos += in_frags - off;
		off = 0;
	} else {
		off -= in_frags;
	}
	return sum_list(list, off, pos, sum);
}

int tx_csum(u32 address)
{
	struct no_sk_buff *skb = skb_at(address);
	u32 start, headlen, sum, field, check;
	int failed;

	if (FIELD(skb->flags, IP_SUMMED) == CHECKSUM_COMPLETE) {
		set_ip_summed(skb, CHECKSUM_NONE);
		return 0;
	}
	if (skb_shinfo(skb)->gso_size)
		return -EINVAL;
	if (FIELD(skb->flags, UNREADABLE) && skb->data_len)
		return -EFAULT;
	if (skb->data_len && (skb_shinfo(skb)->flags & SKBFL_SHARED_FRAG)) {
		failed = make_writable(address, skb->len);
		if (failed)
			return failed;
	}
	start = skb->csum_start - (skb->data - skb->head);
	headlen = skb_headlen(skb);
	if (start >= headlen)
		return -EINVAL;
	sum = skb->data_len ? sum_nonlinear(skb, start) : csum_partial(skb->data + start, headlen - start, 0);
	field = start + skb->csum_offset;
	if (field + 2 > headlen)
		return -EINVAL;
	if (FIELD(skb->flags, CLONED) && (skb_headlen(skb) < field + 2 || skb_cloned(skb))) {
		failed = make_writable(address, field + 2);
		if (failed)
			return failed;
	}
	check = ~sum & 0xffff;
	*(u16 *)(u64)(skb->data + field) = check ? check : 0xffff;
	set_ip_summed(skb, CHECKSUM_NONE);
	return 0;
}

int rx_csum(u32 address)
{
	struct no_sk_buff *skb = skb_at(address);
	u32 sum;

	if (skb->data_len && FIELD(skb->flags, UNREADABLE))
		return -EFAULT;
	sum = skb->data_len ? sum_nonlinear(skb, 0) : csum_partial(skb->data, skb->len, 0);
	skb->csum = sum;
	set_ip_summed(skb, CHECKSUM_COMPLETE);
	return 0;
}
