-- One row a customer.
WITH paid AS (
  SELECT customer_id, order_ts, amount
  FROM silver.sales
  WHERE status = 'paid'
)
SELECT
  customer_id,
  count(*) AS frequency, min(order_ts) AS first_order,
  CAST(sum(amount) AS DECIMAL(28,2)) AS total_spent,
  max(order_ts) AS last_order
FROM paid
GROUP BY customer_id
