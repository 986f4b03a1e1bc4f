-- Features look only at orders before the cutoff, targets only at those from it on.
WITH newest AS (
  SELECT max(order_ts) - INTERVAL '90' DAY AS cutoff
  FROM silver.sales_clean
),

marked AS (
  SELECT
    s.customer_id,
    s.product_id,
    s.amount,
    s.status,
    CAST(s.order_ts AS DATE) AS order_date,
    s.order_ts < n.cutoff AS is_before
  FROM silver.sales_clean AS s
  CROSS JOIN newest AS n
)

SELECT
  customer_id,
  count(CASE WHEN is_before THEN 1 END) AS frequency,
  CAST(sum(CASE WHEN is_before THEN amount END) AS DECIMAL(28, 2)) AS total_spent,
  CAST(avg(CASE WHEN is_before THEN amount END) AS DECIMAL(18, 2)) AS avg_ticket,
  count(DISTINCT CASE WHEN is_before THEN product_id END) AS n_products,
  count(DISTINCT CASE WHEN is_before THEN order_date END) AS days_active,
  avg(
    CASE
      WHEN NOT is_before THEN NULL
      WHEN status IN ('cancelled', 'returned') THEN CAST(1 AS DOUBLE)
      ELSE CAST(0 AS DOUBLE)
    END
  ) AS cancelled_share,
  count(CASE WHEN NOT is_before THEN 1 END) = 0 AS churned,
  CAST(coalesce(sum(CASE WHEN NOT is_before THEN amount END), 0) AS DECIMAL(28, 2)) AS spent_after
FROM marked
GROUP BY customer_id
HAVING count(CASE WHEN is_before THEN 1 END) > 0
