-- One row a customer.
WITH paid AS (
  SELECT customer_id, order_ts, amount
  FROM silver.sales
  WHERE status = 'paid'
)
SELECT
  count(*) AS frequency,
  customer_id,
  CAST(sum(amount) AS DECIMAL(28,2)) AS total_spent,
  max(order_ts) AS last_order
FROM paid
GROUP BY customer_id
