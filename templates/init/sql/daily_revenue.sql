SELECT
  CAST(ordered_at AS DATE) AS day,
  count(*) AS n_orders,
  sum(quantity * unit_price) AS revenue
FROM silver.orders
GROUP BY CAST(ordered_at AS DATE)
