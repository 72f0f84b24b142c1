/*
 * Baseline of the benchmarks: checksum loops as one writes them in C, vectorised by the compiler alone.
 * Reads lines "words|batch LENGTH OFFSET ITERATIONS [COUNT]" and answers "NANOSECONDS SUM" (sum folded, little
 * endian words) for each; ITERATIONS calls are timed together.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint32_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

/* 16-bit words into 32 bits: exact up to 128 KiB. */
static uint32_t __attribute__((noinline)) sum16(const uint8_t *bytes, uint32_t len)
{
	uint32_t sum = 0;
	uint32_t words = len / 2;
	for (uint32_t i = 0; i < words; i++) {
		uint16_t word;
		memcpy(&word, bytes + 2 * i, 2);
		sum += word;
	}
	return fold((uint64_t)sum + (len & 1 ? bytes[len - 1] : 0));
}

/* 32-bit words into 64 bits. */
static uint32_t __attribute__((noinline)) sum32(const uint8_t *bytes, uint32_t len)
{
	uint64_t sum = 0;
	uint32_t words = len / 4;
	for (uint32_t i = 0; i < words; i++) {
		uint32_t word;
		memcpy(&word, bytes + 4 * i, 4);
		sum += word;
	}
	const uint8_t *tail = bytes + 4 * words;
	if (len & 2) {
		uint16_t word;
		memcpy(&word, tail, 2);
		sum += word;
		tail += 2;
	}
	return fold(sum + (len & 1 ? *tail : 0));
}

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#define ROOM (1 << 20)

int main(void)
{
	uint8_t *room = aligned_alloc(4096, ROOM);
	uint32_t *sums = malloc(4096 * sizeof *sums);
	char what[16];
	uint32_t len, offset, iterations, count;
	/* the same bytes as the script's: see fillBytes */
	for (uint32_t i = 0; i < ROOM; i++)
		room[i] = (uint8_t)(i * 73 + (i >> 8) * 31 + (i >> 3));
	while (scanf("%15s %u %u %u %u", what, &len, &offset, &iterations, &count) == 5) {
		const uint8_t *bytes = room + offset;
		uint32_t (*sum)(const uint8_t *, uint32_t) = strchr(what, '6') ? sum16 : sum32;
		volatile uint32_t result = 0;
		uint64_t start = now();
		for (uint32_t i = 0; i < iterations; i++) {
			if (count == 1) {
				result = sum(bytes, len);
				continue;
			}
			for (uint32_t k = 0; k < count; k++)
				sums[k] = sum(bytes + k * 64, len);
			result = sums[i % count];
		}
		uint64_t ns = now() - start;
		if (count > 1) {
			uint64_t all = 0;
			for (uint32_t k = 0; k < count; k++)
				all += sums[k];
			result = fold(all);
		}
		printf("%llu %u\n", (unsigned long long)ns, result);
		fflush(stdout);
	}
	return 0;
}
