-- Weekends and holidays have no rate of their own, and a transaction on such a day is settled at the one before. Each rate opens
-- a stretch of days that lasts until the next; within it there is one rate, so any aggregate finds it.
WITH days AS (
  SELECT
    calendar.day,
    calendar.is_business_day,
    ptax.quoted_on,
    ptax.sell
  FROM silver.sl_calendar_days AS calendar
  LEFT JOIN silver.sl_fx_ptax AS ptax ON calendar.day = ptax.quoted_on
),

stretches AS (
  SELECT
    *,
    count(quoted_on) OVER (ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS stretch
  FROM days
),

held AS (
  SELECT
    day,
    is_business_day,
    quoted_on IS NOT NULL AS is_quoted,
    max(quoted_on) OVER (PARTITION BY stretch) AS quoted_on,
    max(sell) OVER (PARTITION BY stretch) AS rate
  FROM stretches
  WHERE stretch > 0
)

SELECT
  day,
  is_business_day,
  is_quoted,
  quoted_on,
  rate,
  datediff(day, quoted_on) AS age_days
FROM held
