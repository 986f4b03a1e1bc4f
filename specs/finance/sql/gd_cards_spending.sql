SELECT
  spent.booked_on,
  spent.category,
  count(*) AS n_transactions,
  CAST(sum(CASE WHEN spent.currency = 'USD' THEN spent.amount ELSE 0 END) AS DECIMAL(18, 2)) AS amount_usd,
  CAST(
    sum(CASE WHEN spent.currency = 'USD' THEN spent.amount * fx.rate ELSE spent.amount END) AS DECIMAL(18, 2)
  ) AS amount_brl
FROM silver.sl_cards_transactions AS spent
INNER JOIN silver.sl_fx_daily AS fx ON spent.booked_on = fx.day
GROUP BY spent.booked_on, spent.category
