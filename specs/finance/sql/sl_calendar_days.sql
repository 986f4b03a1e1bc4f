SELECT
  day,
  holiday,
  -- From Monday, 0, to Sunday, 6.
  weekday(day) < 5 AND holiday IS NULL AS is_business_day
FROM bronze.br_calendar_days
