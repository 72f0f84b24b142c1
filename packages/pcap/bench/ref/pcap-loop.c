/* libpcap's own loop over a capture: the baseline of read.bench.ts. Prints packets, a sum over them, nanoseconds. */
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

static uint64_t packets, sum;

static void on_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *bytes) {
  (void)user;
  packets++;
  sum += header->caplen + (header->caplen ? bytes[0] : 0);
}

int main(int argc, char **argv) {
  char error[PCAP_ERRBUF_SIZE];
  struct timespec a, b;
  if (argc < 2) return 2;
  clock_gettime(CLOCK_MONOTONIC, &a);
  pcap_t *p = pcap_open_offline(argv[1], error);
  if (!p) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  if (pcap_loop(p, -1, on_packet, NULL) == -1) {
    fprintf(stderr, "%s\n", pcap_geterr(p));
    return 1;
  }
  pcap_close(p);
  clock_gettime(CLOCK_MONOTONIC, &b);
  printf("%llu %llu %lld\n", (unsigned long long)packets, (unsigned long long)sum,
         (long long)(b.tv_sec - a.tv_sec) * 1000000000 + (b.tv_nsec - a.tv_nsec));
  return 0;
}
