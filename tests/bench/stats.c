/*
 * stats - medians, quartiles, and the rows of the result.
 *
 * Only the ratio of two blocks run one after the other is compared: on a busy machine the times
 * themselves drift by factors, their ratio much less. The noise column says how much less.
 */
#include "bench.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 128

static struct row rows[ROWS_MAX];
static size_t row_count = 0;

static void series_add(struct series *series, double value)
{
    if (series->count == series->capacity) {
        size_t capacity = series->capacity == 0 ? 64 : series->capacity * 2;
        double *values = realloc(series->values, capacity * sizeof(*values));

        if (values == NULL) {
            broken("no memory for %zu values", capacity);
        }
        series->values = values;
        series->capacity = capacity;
    }
    series->values[series->count++] = value;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

/* Of a sorted series, between two values where it must. */
static double quantile(const struct series *series, double part)
{
    double place = part * (double)(series->count - 1);
    size_t below = (size_t)place;
    size_t above = below + 1 < series->count ? below + 1 : below;

    return series->values[below] +
           (place - (double)below) * (series->values[above] - series->values[below]);
}

static double median_of(const struct series *series)
{
    struct series copy = {0};
    double median;

    for (size_t i = 0; i < series->count; i++) {
        series_add(&copy, series->values[i]);
    }
    qsort(copy.values, copy.count, sizeof(double), compare);
    median = quantile(&copy, 0.5);
    free(copy.values);
    return median;
}

static void ratios(const struct series *left, const struct series *right, double *low,
                   double *middle, double *high)
{
    struct series quotients = {0};

    for (size_t i = 0; i < left->count; i++) {
        series_add(&quotients, left->values[i] / right->values[i]);
    }
    qsort(quotients.values, quotients.count, sizeof(double), compare);
    *low = quantile(&quotients, 0.25);
    *middle = quantile(&quotients, 0.5);
    *high = quantile(&quotients, 0.75);
    free(quotients.values);
}

void contest_round(struct contest *contest, side_fn *run, void *context, unsigned round)
{
    for (unsigned i = 0; i < contest->sides; i++) {
        unsigned step = round % 2 == 0 ? i : contest->sides - i;
        unsigned side = (round + step) % contest->sides;

        series_add(&contest->sides_values[side], run(context, side));
    }
}

void contest_drop_round(struct contest *contest)
{
    for (unsigned i = 0; i < contest->sides; i++) {
        contest->sides_values[i].count--;
    }
}

void contest_deinit(struct contest *contest)
{
    for (unsigned i = 0; i < contest->sides; i++) {
        free(contest->sides_values[i].values);
    }
    memset(contest, 0, sizeof(*contest));
}

void contest_judge(const struct contest *contest, unsigned left, unsigned right, unsigned twin,
                   struct row *row)
{
    const struct series *values = contest->sides_values;

    row->left = median_of(&values[left]);
    row->right = median_of(&values[right]);
    ratios(&values[left], &values[right], &row->ratio_low, &row->ratio, &row->ratio_high);
    ratios(&values[twin], &values[right], &row->noise_low, &row->noise, &row->noise_high);
    row->judged = row->ratio;
}

void contest_compare(const struct contest *contest, unsigned left, unsigned right,
                     struct row *row)
{
    const struct series *values = contest->sides_values;

    row->left = median_of(&values[left]);
    row->right = median_of(&values[right]);
    ratios(&values[left], &values[right], &row->ratio_low, &row->ratio, &row->ratio_high);
    row->ratio = row->left / row->right;
    row->noise = row->noise_low = row->noise_high = LIMIT_NONE;
    row->judged = row->ratio;
}

bool config_selects(const struct config *config, const char *row_name)
{
    char glob[256];

    if (config->only == NULL) {
        return true;
    }
    snprintf(glob, sizeof(glob), "*%s*", config->only);
    return fnmatch(glob, row_name, FNM_CASEFOLD) == 0;
}

void row_head(const char *left_name, const char *right_name)
{
    printf("\n%-45s %-9s %15s %15s   ratio (quartiles)      A/A (quartiles)\n", "", "placement",
           left_name, right_name);
}

static void print_ratio(double low, double middle, double high)
{
    if (isnan(middle)) {
        printf("  %-18s", "  -");
    } else if (isnan(low)) {
        printf("  %6.2f            ", middle);
    } else {
        printf("  %6.2f (%.2f-%.2f)", middle, low, high);
    }
}

static bool row_is_met(const struct row *row)
{
    return row->at_least ? row->judged >= row->limit : row->judged <= row->limit;
}

void row_print(const struct row *row)
{
    int digits = row->left >= 1000 ? 0 : 2;
    const char *placement = row->placement != NULL ? row->placement : proc_placement();

    printf("%-45s %-9s %9.*f %-5s %9.*f %-5s", row->name, placement, digits, row->left,
           row->unit, digits, row->right, row->unit);
    print_ratio(row->ratio_low, row->ratio, row->ratio_high);
    print_ratio(row->noise_low, row->noise, row->noise_high);
    if (!isnan(row->limit)) {
        printf("  limit %.2f  %s", row->limit, row_is_met(row) ? "met" : "missed");
    }
    if (row->note != NULL && row->note[0] != '\0') {
        printf("  [%s]", row->note);
    }
    printf("\n");
    fflush(stdout);
    if (row_count < ROWS_MAX) {
        rows[row_count] = *row;
        rows[row_count].placement = placement;
        rows[row_count].name = strdup(row->name);
        rows[row_count].note = strdup(row->note != NULL ? row->note : "");
        row_count += rows[row_count].name != NULL && rows[row_count].note != NULL;
    }
}

void rows_deinit(void)
{
    while (row_count > 0) {
        row_count--;
        free((char *)rows[row_count].name);
        free((char *)rows[row_count].note);
    }
}

static void json_number(FILE *file, const char *key, double value)
{
    if (isnan(value)) {
        fprintf(file, ", \"%s\": null", key);
    } else {
        fprintf(file, ", \"%s\": %.4f", key, value);
    }
}

static void json_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            fputc('\\', file);
        }
        fputc(*text, file);
    }
    fputc('"', file);
}

static void json_row(FILE *file, const struct row *row)
{
    fprintf(file, "  {\"name\": ");
    json_text(file, row->name);
    fprintf(file, ", \"placement\": \"%s\", \"unit\": \"%s\"", row->placement, row->unit);
    fprintf(file, ", \"left_is\": \"%s\", \"right_is\": \"%s\"", row->left_name,
            row->right_name);
    json_number(file, "left", row->left);
    json_number(file, "right", row->right);
    json_number(file, "ratio", row->ratio);
    json_number(file, "ratio_low", row->ratio_low);
    json_number(file, "ratio_high", row->ratio_high);
    json_number(file, "noise", row->noise);
    json_number(file, "noise_low", row->noise_low);
    json_number(file, "noise_high", row->noise_high);
    json_number(file, "limit", row->limit);
    fprintf(file, ", \"met\": %s, \"note\": ",
            isnan(row->limit) ? "null" : (row_is_met(row) ? "true" : "false"));
    json_text(file, row->note);
    fputc('}', file);
}

/* Returns 0, or -1 with errno. */
int rows_write_json(const char *path, const char *machine)
{
    FILE *file = fopen(path, "w");

    if (file == NULL) {
        return -1;
    }
    fprintf(file, "{\"machine\": ");
    json_text(file, machine);
    fprintf(file, ",\n \"rows\": [\n");
    for (size_t i = 0; i < row_count; i++) {
        json_row(file, &rows[i]);
        fprintf(file, "%s\n", i + 1 < row_count ? "," : "");
    }
    fprintf(file, " ]}\n");
    return fclose(file) == 0 ? 0 : -1;
}
