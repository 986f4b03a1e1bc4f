-- Rows are business days with a rate, so a week is five of them, whatever holidays lie between. A row's features look back
-- from it; only `target_…` looks ahead, and is NULL for the newest week.
WITH around AS (
  SELECT
    quoted_on,
    sell AS rate,
    row_number() OVER (ORDER BY quoted_on) AS place,
    lag(sell, 1) OVER (ORDER BY quoted_on) AS rate_1,
    lag(sell, 5) OVER (ORDER BY quoted_on) AS rate_5,
    lag(quoted_on, 1) OVER (ORDER BY quoted_on) AS quoted_before,
    avg(sell) OVER (ORDER BY quoted_on ROWS BETWEEN 19 PRECEDING AND CURRENT ROW) AS mean_20,
    avg(sell) OVER (ORDER BY quoted_on ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS mean_60,
    min(sell) OVER (ORDER BY quoted_on ROWS BETWEEN 19 PRECEDING AND CURRENT ROW) AS low_20,
    max(sell) OVER (ORDER BY quoted_on ROWS BETWEEN 19 PRECEDING AND CURRENT ROW) AS high_20,
    lead(quoted_on, 5) OVER (ORDER BY quoted_on) AS target_on,
    lead(sell, 5) OVER (ORDER BY quoted_on) AS target_rate
  FROM silver.sl_fx_ptax
)

SELECT
  'USD/BRL' AS pair,
  quoted_on,
  rate,
  CAST(rate AS DOUBLE) / CAST(rate_1 AS DOUBLE) - 1 AS return_1,
  CAST(rate AS DOUBLE) / CAST(rate_5 AS DOUBLE) - 1 AS return_5,
  CAST(rate AS DOUBLE) / CAST(mean_20 AS DOUBLE) - 1 AS distance_20,
  CAST(rate AS DOUBLE) / CAST(mean_60 AS DOUBLE) - 1 AS distance_60,
  CAST(high_20 - low_20 AS DOUBLE) / CAST(mean_20 AS DOUBLE) AS range_20,
  weekday(quoted_on) AS weekday,
  datediff(quoted_on, quoted_before) AS gap_days,
  target_on,
  target_rate
FROM around
WHERE place >= 60
