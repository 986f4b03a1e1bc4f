SELECT
  customer_id,
  count(*) AS frequency,
  CAST(sum(amount) AS DECIMAL(28, 2)) AS total_spent,
  CAST(avg(amount) AS DECIMAL(18, 2)) AS avg_ticket,
  count(DISTINCT product_id) AS n_products,
  count(DISTINCT CAST(order_ts AS DATE)) AS days_active,
  avg(CASE WHEN status IN ('cancelled', 'returned') THEN CAST(1 AS DOUBLE) ELSE CAST(0 AS DOUBLE) END) AS cancelled_share,
  max(order_ts) AS last_order_ts
FROM silver.sales_clean
GROUP BY customer_id
