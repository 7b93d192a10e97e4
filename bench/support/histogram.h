/* Counts of microseconds, exact up to 2 s. */
#include <stdio.h>

enum { BUCKETS = 2000000 }; /* of 1 us; the last one is "2 s or more" */

static void count(unsigned *histogram, double us) {
  histogram[us >= BUCKETS - 1 ? BUCKETS - 1 : us < 0 ? 0 : (int)us]++;
}

/* As a member of a JSON object. */
static void print_quantiles(const char *name, const unsigned *histogram) {
  static const double ratios[] = {0.5, 0.9, 0.99, 0.999, 1};
  static const char *const names[] = {"p50", "p90", "p99", "p999", "max"};
  double total = 0, sum = 0;
  for (int i = 0; i < BUCKETS; i++) total += histogram[i];
  int at = 0;
  printf("\"%s\":{\"count\":%.0f", name, total);
  for (int q = 0; q < 5; q++) {
    while (at < BUCKETS && sum + histogram[at] < ratios[q] * total) sum += histogram[at++];
    printf(",\"%s\":%d", names[q], at);
  }
  printf("}");
}
